/* doctor_report.h - what one visit of `weir doctor` gathered, and its two forms. */
#ifndef WEIR_TOOLS_DOCTOR_REPORT_H
#define WEIR_TOOLS_DOCTOR_REPORT_H

#include "doctor/diagnosis.h"
#include "kafka/admin.h"

struct patient {
    struct task_facts facts;
    struct diagnosis diagnosis;
};

struct dead_letters {
    const char *topic;
    int64_t count, last_ms;
};

enum { VISIT_TOPICS_MAX = 64 };

struct visit {
    struct arena arena;
    struct admin *admin;
    struct patient *patients;
    size_t patient_count;
    const char **topic_findings; /* each names its remedy */
    size_t topic_finding_count;
    struct dead_letters dead[VISIT_TOPICS_MAX];
    size_t dead_count;
};

void report_text(const struct visit *visit);
void report_json(const struct visit *visit, bool well);

#endif
