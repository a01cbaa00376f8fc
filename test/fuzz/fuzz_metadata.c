/* fuzz_metadata.c - libFuzzer: any text as the metadata of a committed offset. What is read as a
 * commit's name was written as exactly this text, for this offset; and what is written is read
 * again as the same.
 */
#include "fuzz.h"

#include <inttypes.h>

#include "kafka/port.h"
#include "runtime/metadata.h"

static void check_reading(const char *text, int64_t offset)
{
    char incarnation[INCARNATION_BYTES], again[PORT_METADATA_MAX];
    int64_t number;
    if (metadata_read(text, offset, &number, incarnation)) {
        metadata_write(number, incarnation, offset, again);
        CHECK(strcmp(text, again) == 0);
        CHECK(!metadata_read(text, offset ^ 1, &number, incarnation));
    }
}

/* The same bytes as a commit: any number and any incarnation that a task may have. */
static void check_writing(const char *text, int64_t offset)
{
    static const char digits[] = "0123456789abcdef";
    char written[PORT_METADATA_MAX], incarnation[INCARNATION_BYTES] = "", read[INCARNATION_BYTES];
    int64_t number = 0, read_number;
    for (size_t i = 0; i < INCARNATION_BYTES - 1; i++) {
        uint8_t byte = (uint8_t)text[i < strlen(text) ? i : strlen(text)];
        incarnation[i] = digits[byte & 15];
        number = (int64_t)((uint64_t)number << 2 | byte >> 6) & INT64_MAX;
    }
    metadata_write(number, incarnation, offset, written);
    CHECK(metadata_read(written, offset, &read_number, read) == (number > 0));
    CHECK(number == 0 || (read_number == number && strcmp(read, incarnation) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};
    struct weir_bytes bytes = fuzz_bytes(&input, PORT_METADATA_MAX - 1);
    char text[PORT_METADATA_MAX] = "";
    if (bytes.size > 0) {
        memcpy(text, bytes.data, bytes.size);
    }
    const char *last = strrchr(text, ' ');
    int64_t offset = last ? strtoll(last, NULL, 10) : (int64_t)size;
    check_reading(text, offset);
    check_writing(text, offset);
    return 0;
}
