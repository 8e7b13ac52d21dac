#include "config.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/harness/fake_gateway.h"
#include "check/harness/fake_gateway_ledger.h"
#include "check/harness/fake_gateway_private.h"
#include "check/harness/fake_service.h"

enum { BODY_MAX_BYTES = 64 * 1024, PATH_SIZE = 1024 };

/* ---- requests ---- */

struct asked {
    enum gateway_operation operation;
    char method[8], path[PATH_SIZE], id[LEDGER_WORD_SIZE], key[FAKE_HEADER_SIZE];
    const char *head, *form;
};

static const struct {
    enum gateway_operation operation;
    const char *method, *before, *after;       /* of the path, on both sides of an id */
} operations[] = {
    {GATEWAY_CHARGE, "POST", "/v1/payment_intents", NULL},
    {GATEWAY_REFUND, "POST", "/v1/refunds", NULL},
    {GATEWAY_CANCEL, "POST", "/v1/payment_intents/", "/cancel"},
    {GATEWAY_SEARCH, "GET", "/v1/payment_intents/search?limit=10&query=", ""},
    {GATEWAY_LIST, "GET", "/v1/refunds?limit=10&payment_intent=", ""},
    {GATEWAY_RETRIEVE, "GET", "/v1/payment_intents/", ""},
};

static bool is_operation(struct asked *asked, const char *method, const char *before, const char *after)
{
    size_t length = strlen(asked->path), start = strlen(before), end = after ? strlen(after) : 0;
    if (strcmp(asked->method, method) != 0)
        return false;
    if (!after)
        return strcmp(asked->path, before) == 0;
    if (length <= start + end || strncmp(asked->path, before, start) != 0 ||
        strcmp(asked->path + length - end, after) != 0)
        return false;
    snprintf(asked->id, sizeof asked->id, "%.*s", (int)(length - start - end), asked->path + start);
    return true;
}

static bool read_asked(const char *request, struct asked *asked)
{
    const char *end = strstr(request, "\r\n\r\n");
    asked->head = request;
    asked->form = end ? end + 4 : "";
    fake_service_header(request, "Idempotency-Key", asked->key);
    if (sscanf(request, "%7s %1023s", asked->method, asked->path) != 2)
        return false;
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        asked->operation = operations[i].operation;
        if (is_operation(asked, operations[i].method, operations[i].before, operations[i].after))
            return true;
    }
    return false;
}

/* What a test would not notice by the answers alone. */
static bool is_well_made(const struct asked *asked)
{
    char value[FAKE_HEADER_SIZE];
    bool is_post = strcmp(asked->method, "POST") == 0, needs_key = is_post && asked->operation != GATEWAY_CANCEL;
    const char *type = is_post ? "application/x-www-form-urlencoded" : "";
    return *fake_service_header(asked->head, "Stripe-Version", value) &&
           strcmp(fake_service_header(asked->head, "Content-Type", value), type) == 0 &&
           needs_key == (*asked->key != '\0') && !strstr(asked->path, "sk_") && !strstr(asked->form, "sk_");
}

/* ---- faults ---- */

static uint64_t draw(struct fake_gateway *gateway)
{
    gateway->storm_state = gateway->storm_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return gateway->storm_state >> 33;
}

static enum gateway_fault next_fault(struct fake_gateway *gateway, enum gateway_operation operation)
{
    for (unsigned i = 0; i < gateway->fault_count; i++) {
        struct ordered *ordered = &gateway->faults[i];
        if (ordered->operation != operation || ordered->times == 0)
            continue;
        ordered->times--;
        return ordered->fault;
    }
    if (gateway->storm_percent == 0 || draw(gateway) % 100 >= gateway->storm_percent)
        return GATEWAY_WELL;
    enum gateway_fault fault = (enum gateway_fault)(1 + draw(gateway) % (GATEWAY_FAULTS - 1));
    return fault == GATEWAY_HELD ? GATEWAY_WELL : fault;
}

/* What is said when nothing is done. */
static const struct refusal {
    enum gateway_fault fault;
    int status;
    const char *type, *code;
} refusals[] = {
    {GATEWAY_FAILED_BEFORE, 500, "api_error", NULL},
    {GATEWAY_TOO_MANY, 429, "invalid_request_error", "rate_limit"},
    {GATEWAY_IN_USE, 409, "idempotency_error", "idempotency_key_in_use"},
    {GATEWAY_NO_ENTRY, 401, "invalid_request_error", NULL},
};

static bool refuse(const struct fake_gateway *gateway, enum gateway_fault fault, struct buf *out,
                   enum fake_end *ret_end)
{
    char retry_after[64] = "";
    struct buf body;
    *ret_end = FAKE_KEEP;
    if (fault == GATEWAY_DROPPED_BEFORE) {
        *ret_end = FAKE_CLOSE;
        return true;
    }
    if (fault == GATEWAY_UNAVAILABLE) {
        fake_service_say(out, 503, "", "<html>upstream</html>");
        return true;
    }
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        if (refusals[i].fault != fault)
            continue;
        if (fault == GATEWAY_TOO_MANY)
            snprintf(retry_after, sizeof retry_after, "Retry-After: %u\r\n", gateway->retry_after_s);
        buf_init(&body, BODY_MAX_BYTES);
        ledger_error(&body, refusals[i].status, refusals[i].type, refusals[i].code, NULL);
        fake_service_say(out, refusals[i].status, retry_after, buf_string(&body));
        buf_fini(&body);
        return true;
    }
    return false;
}

/* ---- doing it ---- */

/* "metadata['order_id']:'…'" of a query. */
static int search(struct fake_gateway *gateway, const struct asked *asked, struct buf *out)
{
    char form[PATH_SIZE + 8], query[LEDGER_WORD_SIZE], order_id[LEDGER_WORD_SIZE] = "";
    snprintf(form, sizeof form, "query=%s", asked->id);
    ledger_form(form, "query", query, sizeof query);
    if (sscanf(query, "metadata['order_id']:'%127[^']'", order_id) != 1)
        return ledger_error(out, 400, "invalid_request_error", NULL, "query");
    return ledger_search(gateway->db, gateway->hidden ? "" : order_id, out);
}

static int perform(struct fake_gateway *gateway, const struct asked *asked, struct buf *out)
{
    switch (asked->operation) {
    case GATEWAY_CHARGE: return ledger_charge(gateway->db, asked->key, asked->form, out);
    case GATEWAY_REFUND: return ledger_refund(gateway->db, asked->key, asked->form, out);
    case GATEWAY_CANCEL: return ledger_cancel(gateway->db, asked->id, asked->form, out);
    case GATEWAY_RETRIEVE: return ledger_retrieve(gateway->db, asked->id, out);
    case GATEWAY_SEARCH: return search(gateway, asked, out);
    case GATEWAY_LIST: return ledger_refunds(gateway->db, asked->id, out);
    default: break;
    }
    return ledger_error(out, 404, "invalid_request_error", NULL, NULL);
}

/* The status of what is to be said when the key has been used, 0 when it has not. */
static int recall(struct fake_gateway *gateway, const struct asked *asked, struct buf *out)
{
    char body[BODY_MAX_BYTES], request[BODY_MAX_BYTES];
    if (!*asked->key ||
        !ledger_text(gateway->db, request, sizeof request, "SELECT request FROM answer WHERE key = ?1", asked->key))
        return 0;
    int status = (int)ledger_number(gateway->db, "SELECT status FROM answer WHERE key = ?1", asked->key, 0);
    size_t path = strlen(asked->path);
    bool is_same = strncmp(request, asked->path, path) == 0 && strcmp(request + path, asked->form) == 0;
    if (!is_same)
        return ledger_error(out, 400, "idempotency_error", NULL, NULL);
    if (status == 0)
        return ledger_error(out, 409, "idempotency_error", "idempotency_key_in_use", NULL);
    ledger_text(gateway->db, body, sizeof body, "SELECT body FROM answer WHERE key = ?1", asked->key);
    buf_add_string(out, body);
    return status;
}

/* Requests that are refused before they are carried out leave their key as it was. */
static void remember(struct fake_gateway *gateway, const struct asked *asked, int status, const char *body)
{
    char number[16], request[PATH_SIZE + BODY_MAX_BYTES];
    snprintf(number, sizeof number, "%d", status);
    snprintf(request, sizeof request, "%s%s", asked->path, asked->form);
    if (*asked->key && status != 400 && status != 404)
        ledger_run(gateway->db, "INSERT OR REPLACE INTO answer VALUES (?1, ?2, CAST(?3 AS INTEGER), ?4)", asked->key,
                   request, number, body, NULL);
}

static void hold(struct fake_gateway *gateway, const struct asked *asked)
{
    remember(gateway, asked, 0, "");
    gateway->held++;
    while (!gateway->released && !gateway->stopping)
        pthread_cond_wait(&gateway->changed, &gateway->lock);
    gateway->held--;
}

static enum fake_end say(enum gateway_fault fault, int status, const char *headers, struct buf *body, struct buf *out)
{
    switch (fault) {
    case GATEWAY_LATE:
        return FAKE_HANG;
    case GATEWAY_DROPPED_AFTER:
        return FAKE_CLOSE;
    case GATEWAY_GARBAGE:
        fake_service_say(out, 200, headers, "{\"id\":\"pi_1\",\"status\":\"succ");
        return FAKE_KEEP;
    case GATEWAY_CUT_OFF:
        buf_addf(out, "HTTP/1.1 %d Said\r\nContent-Length: %zu\r\n\r\n%.*s", status, body->length,
                 (int)body->length / 2, buf_string(body));
        return FAKE_CLOSE;
    default:
        fake_service_say(out, status, headers, buf_string(body));
        return FAKE_KEEP;
    }
}

static int carry_out(struct fake_gateway *gateway, const struct asked *asked, enum gateway_fault fault,
                     struct buf *out)
{
    int status = perform(gateway, asked, out);
    if (fault == GATEWAY_FAILED_AFTER) {
        buf_reset(out, BODY_MAX_BYTES);
        status = ledger_error(out, 500, "api_error", NULL, NULL);
    }
    if (fault == GATEWAY_HELD)
        hold(gateway, asked);
    remember(gateway, asked, status, buf_string(out));
    return status;
}

/* With the lock. */
static enum fake_end answer_asked(struct fake_gateway *gateway, const struct asked *asked, struct buf *out)
{
    char value[FAKE_HEADER_SIZE];
    enum gateway_fault fault = next_fault(gateway, asked->operation);
    enum fake_end end = FAKE_KEEP;
    struct buf body;
    gateway->asked[asked->operation]++;
    gateway->misread += !is_well_made(asked);
    if (strcmp(fake_service_header(asked->head, "Authorization", value), "Bearer " FAKE_GATEWAY_KEY) != 0)
        fault = GATEWAY_NO_ENTRY;
    if (refuse(gateway, fault, out, &end))
        return end;
    buf_init(&body, BODY_MAX_BYTES);
    int status = recall(gateway, asked, &body);
    const char *headers = status ? "Content-Type: application/json\r\nIdempotent-Replayed: true\r\n"
                                 : "Content-Type: application/json\r\n";
    if (!status)
        status = carry_out(gateway, asked, fault, &body);
    end = say(fault, status, headers, &body, out);
    buf_fini(&body);
    return end;
}

static enum fake_end answer(const char *request, struct buf *out, void *context)
{
    struct fake_gateway *gateway = context;
    struct asked asked = {.head = request};
    enum fake_end end = FAKE_CLOSE;
    pthread_mutex_lock(&gateway->lock);
    if (read_asked(request, &asked))
        end = answer_asked(gateway, &asked, out);
    else
        gateway->misread++;
    pthread_mutex_unlock(&gateway->lock);
    return end;
}

/* ---- coming and going ---- */

struct fake_gateway *fake_gateway_start(const char *ledger)
{
    struct fake_gateway *gateway = calloc(1, sizeof *gateway);
    assert(gateway);
    pthread_mutex_init(&gateway->lock, NULL);
    pthread_cond_init(&gateway->changed, NULL);
    gateway->retry_after_s = 1;
    gateway->db = ledger_open(ledger);
    gateway->service = fake_service_start(answer, gateway);
    return gateway;
}

void fake_gateway_stop(struct fake_gateway *gateway)
{
    if (!gateway)
        return;
    pthread_mutex_lock(&gateway->lock);
    gateway->stopping = true;
    pthread_cond_broadcast(&gateway->changed);
    pthread_mutex_unlock(&gateway->lock);
    fake_service_stop(gateway->service);
    ledger_close(gateway->db);
    pthread_cond_destroy(&gateway->changed);
    pthread_mutex_destroy(&gateway->lock);
    free(gateway);
}

const char *fake_gateway_url(const struct fake_gateway *gateway)
{
    return fake_service_url(gateway->service);
}

/* ---- how it behaves ---- */

void fake_gateway_fault(struct fake_gateway *gateway, enum gateway_operation operation, enum gateway_fault fault,
                        unsigned times)
{
    pthread_mutex_lock(&gateway->lock);
    gateway->released = false;
    assert(gateway->fault_count < GATEWAY_FAULTS_MAX);
    gateway->faults[gateway->fault_count++] = (struct ordered){operation, fault, times};
    pthread_mutex_unlock(&gateway->lock);
}

void fake_gateway_calm(struct fake_gateway *gateway)
{
    pthread_mutex_lock(&gateway->lock);
    gateway->fault_count = 0;
    pthread_mutex_unlock(&gateway->lock);
}

void fake_gateway_storm(struct fake_gateway *gateway, unsigned percent, uint64_t seed)
{
    pthread_mutex_lock(&gateway->lock);
    gateway->storm_percent = percent;
    gateway->storm_state = seed;
    pthread_mutex_unlock(&gateway->lock);
}

void fake_gateway_retry_after(struct fake_gateway *gateway, unsigned seconds)
{
    pthread_mutex_lock(&gateway->lock);
    gateway->retry_after_s = seconds;
    pthread_mutex_unlock(&gateway->lock);
}

void fake_gateway_release(struct fake_gateway *gateway)
{
    pthread_mutex_lock(&gateway->lock);
    gateway->released = true;
    pthread_cond_broadcast(&gateway->changed);
    pthread_mutex_unlock(&gateway->lock);
}

void fake_gateway_forget(struct fake_gateway *gateway)
{
    pthread_mutex_lock(&gateway->lock);
    ledger_run(gateway->db, "DELETE FROM answer", NULL);
    pthread_mutex_unlock(&gateway->lock);
}

void fake_gateway_hide(struct fake_gateway *gateway, bool hidden)
{
    pthread_mutex_lock(&gateway->lock);
    gateway->hidden = hidden;
    pthread_mutex_unlock(&gateway->lock);
}

void fake_gateway_complete(struct fake_gateway *gateway, const char *order_id)
{
    pthread_mutex_lock(&gateway->lock);
    ledger_run(gateway->db, "INSERT INTO charge SELECT key, amount, upper(currency), id FROM intent WHERE order_id = ?1"
                            " AND status = 'processing'", order_id, NULL);
    ledger_run(gateway->db, "UPDATE intent SET status = 'succeeded' WHERE order_id = ?1 AND status = 'processing'",
               order_id, NULL);
    pthread_mutex_unlock(&gateway->lock);
}

/* ---- what it got ---- */

static unsigned look(struct fake_gateway *gateway, const unsigned *number)
{
    pthread_mutex_lock(&gateway->lock);
    unsigned value = *number;
    pthread_mutex_unlock(&gateway->lock);
    return value;
}

unsigned fake_gateway_asked(struct fake_gateway *gateway, enum gateway_operation operation)
{
    return look(gateway, &gateway->asked[operation]);
}

unsigned fake_gateway_held(struct fake_gateway *gateway)
{
    return look(gateway, &gateway->held);
}

unsigned fake_gateway_misread(struct fake_gateway *gateway)
{
    return look(gateway, &gateway->misread);
}

int64_t fake_gateway_number(struct fake_gateway *gateway, const char *sql)
{
    pthread_mutex_lock(&gateway->lock);
    int64_t number = ledger_number(gateway->db, sql, NULL, -1);
    pthread_mutex_unlock(&gateway->lock);
    return number;
}

void fake_gateway_intent(struct fake_gateway *gateway, const char *order_id, char *out, size_t size)
{
    out[0] = '\0';
    pthread_mutex_lock(&gateway->lock);
    ledger_text(gateway->db, out, size, "SELECT id FROM intent WHERE order_id = ?1 ORDER BY rowid DESC", order_id);
    pthread_mutex_unlock(&gateway->lock);
}
