/* fuzz_json.c - libFuzzer: any text through json.h; what it prints must be read again as the same
 * text. */
#include "fuzz.h"

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json *root, *again;
    struct error error;
    struct buffer first = {0}, second = {0};
    if (json_parse(&root, data, size, &error)) {
        return 0;
    }
    json_print(root, &first);
    CHECK(json_parse(&again, first.data, first.size, &error) == OK);
    json_print(again, &second);
    CHECK(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
    json_free(root);
    json_free(again);
    buffer_release(&first);
    buffer_release(&second);
    return 0;
}
