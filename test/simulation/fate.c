/* fate.c - see fate.h. */
#include "simulation/fate.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"

void fate_init(struct fate *fate, struct event_list *list, bool again, uint64_t seed)
{
    *fate = (struct fate){.list = list, .again = again, .dice = {seed}};
    if (!again) {
        list->count = 0;
    }
    for (size_t i = 0; i < list->count; i++) {
        list->events[i].struck = false;
    }
}

void fate_step(struct fate *fate)
{
    fate->step++;
    memset(fate->counts, 0, sizeof fate->counts);
}

static struct event *listed(const struct fate *fate, enum site site, int what, unsigned nth)
{
    for (size_t i = 0; i < fate->list->count; i++) {
        struct event *event = &fate->list->events[i];
        if (event->step == fate->step && event->site == site && event->what == what &&
            event->nth == nth) {
            return event->left_out ? NULL : event;
        }
    }
    return NULL;
}

struct event *fate_strikes(struct fate *fate, enum site site, int what, uint64_t once_in)
{
    CHECK(what < EVENT_CALLS_MAX);
    unsigned nth = ++fate->counts[site][what];
    if (fate->again) {
        return listed(fate, site, what, nth);
    }
    bool room = fate->list->count < EVENTS_MAX && (site == SITE_STEP || fate->left > 0);
    if (!room || !dice_once_in(&fate->dice, once_in)) {
        return NULL;
    }
    fate->left -= site != SITE_STEP;
    struct event *event = &fate->list->events[fate->list->count++];
    *event = (struct event){
        .site = site, .what = what, .step = fate->step, .nth = nth, .seed = dice_next(&fate->dice)};
    return event;
}

void fate_nothing(struct fate *fate, struct event *event)
{
    event->struck = false;
    if (!fate->again) { /* it is the last one */
        fate->left += event->site != SITE_STEP;
        fate->list->count--;
    }
}

void event_say(struct event *event, unsigned trouble, int64_t at_ms, const char *text)
{
    snprintf(event->text, sizeof event->text, "%s", text);
    event->trouble = trouble;
    event->at_ms = at_ms;
    event->struck = true;
    log_event(LOG_WARN, "event", "at_ms=%lld what=\"%s\"", (long long)at_ms, text);
}
