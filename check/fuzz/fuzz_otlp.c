/*
 * What an OTLP receiver answers: whatever it is, reading ends, and fails only as documented.
 */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "check/fuzz/fuzz.h"
#include "telemetry/otlp_encoding.h"

static void hold(enum err err, const struct otlp_response *response)
{
    assert(err == ERR_NONE || err == ERR_PROTOCOL || err == ERR_MEMORY);
    assert(memchr(response->message, '\0', sizeof response->message));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct otlp_encoding *const encodings[] = {&otlp_protobuf, &otlp_json};
    struct text body = {(const char *)data, size};
    for (size_t i = 0; i < sizeof encodings / sizeof encodings[0]; i++) {
        struct otlp_response response = {.rejected_spans = 0};
        hold(encodings[i]->read_response(body, &response), &response);
        hold(encodings[i]->read_status(body, &response), &response);
    }
    return 0;
}
