#include "config.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "check/harness/fake_gateway_ledger.h"
#include "check/harness/fake_gateway_private.h"

static bool find(struct fake_gateway *gateway, const char *order_id, struct ledger_intent *ret)
{
    char id[LEDGER_WORD_SIZE];
    pthread_mutex_lock(&gateway->lock);
    bool found = ledger_text(gateway->db, id, sizeof id, "SELECT id FROM intent WHERE order_id = ?1", order_id) &&
                 ledger_intent(gateway->db, id, ret);
    pthread_mutex_unlock(&gateway->lock);
    return found;
}

static void write_charge(struct json_writer *writer, const struct ledger_intent *intent)
{
    json_object_begin(writer);
    json_member_string(writer, "id", "ch_fake");
    json_member_string(writer, "object", "charge");
    json_member_integer(writer, "amount", intent->amount);
    json_member_string(writer, "payment_intent", intent->id);
    json_key(writer, "metadata");
    json_object_begin(writer);
    json_member_string(writer, "order_id", intent->order_id);
    json_object_end(writer);
    json_member_string(writer, "status", "succeeded");
    json_object_end(writer);
}

void fake_gateway_event(struct fake_gateway *gateway, const char *type, const char *order_id, struct buf *out)
{
    struct ledger_intent intent = {.amount = 0};
    struct json_writer writer;
    if (!find(gateway, order_id, &intent))
        snprintf(intent.order_id, sizeof intent.order_id, "%s", order_id);
    if (!*intent.id)
        snprintf(intent.id, sizeof intent.id, "pi_unheard_of");
    json_writer_init(&writer, out);
    json_object_begin(&writer);
    json_member_string(&writer, "id", "evt_fake");
    json_member_string(&writer, "object", "event");
    json_member_integer(&writer, "created", clock_wall_us() / US_PER_S);
    json_member_string(&writer, "type", type);
    json_key(&writer, "data");
    json_object_begin(&writer);
    json_key(&writer, "object");
    if (strncmp(type, "payment_intent.", strlen("payment_intent.")) == 0)
        ledger_write_intent(&writer, &intent);
    else if (strncmp(type, "refund.", strlen("refund.")) == 0)
        ledger_write_refund(&writer, "re_fake", &intent);
    else
        write_charge(&writer, &intent);
    json_object_end(&writer);
    json_object_end(&writer);
}

const char *fake_gateway_sign(const char *secret, int64_t time_s, struct text body,
                              char out[static FAKE_SIGNATURE_SIZE])
{
    unsigned char digest[crypto_auth_hmacsha256_BYTES];
    char hex[2 * sizeof digest + 1], time[32];
    crypto_auth_hmacsha256_state state;
    snprintf(time, sizeof time, "%lld.", (long long)time_s);
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret, strlen(secret));
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)time, strlen(time));
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)body.at, body.length);
    crypto_auth_hmacsha256_final(&state, digest);
    sodium_bin2hex(hex, sizeof hex, digest, sizeof digest);
    snprintf(out, FAKE_SIGNATURE_SIZE, "t=%lld,v1=%s", (long long)time_s, hex);
    return out;
}
