/*
 * POST /v1/payments/events: what the payment gateway tells by itself ("webhooks").
 *
 * Nobody signs in here: a notice is signed. What a genuine one says is no more than that there is something to ask, so
 * that a repeated, late or forged one can do nothing but have a payment asked about once more.
 */
#include "config.h"

#include "app/call_trace.h"
#include "app/service.h"
#include "apps/order/app.h"
#include "apps/order/payment_store.h"
#include "apps/order/routes.h"
#include "base/clock.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"

#define LOG_MODULE LOG_MODULE_ORDER

/* Far more than a gateway's events have. */
enum { NOTICE_MAX_BYTES = 256 * 1024 };

enum result {
    RESULT_ASKED, RESULT_SETTLED, RESULT_IGNORED, RESULT_FOREIGN, RESULT_REFUSED, RESULT_MALFORMED,
    RESULTS,
};

static const char *const result_names[RESULTS] = {
    [RESULT_ASKED] = "asked",     [RESULT_SETTLED] = "settled", [RESULT_IGNORED] = "ignored",
    [RESULT_FOREIGN] = "foreign", [RESULT_REFUSED] = "refused", [RESULT_MALFORMED] = "malformed",
};

static void count(enum result result)
{
    metric_add(metric_series(METRIC_PAYMENT_EVENTS, result_names[result]), 1);
}

void payment_events_metrics(void)
{
    for (enum result result = 0; result < RESULTS; result++)
        (void)metric_series(METRIC_PAYMENT_EVENTS, result_names[result]);
}

static enum err refuse(struct call *call, enum err err)
{
    if (err == ERR_FORBIDDEN) {
        count(RESULT_REFUSED);
        log_event(LOG_WARNING, "an event of the payment gateway is refused", LOG_STRING("cause", err_cause()));
        return call_refuse(call, ERR_MALFORMED, "bad-signature", "The event is not signed as it should be, or is old.");
    }
    if (err == ERR_MALFORMED) {
        count(RESULT_MALFORMED);
        return call_refuse(call, err, NULL, err_cause());
    }
    return err;
}

enum err payment_events_check(struct call *call)
{
    const struct order_app *app = call_app(call);
    const struct http_request *request = &call->exchange->request;
    const char *header = payment_notice_header(app->payment);
    struct payment_news *news = arena_calloc(call_arena(call), 1, sizeof *news);
    if (!header)
        return ERR_NOT_FOUND;
    if (request->body.length > NOTICE_MAX_BYTES)
        return call_refuse(call, ERR_TOO_LARGE, NULL, "Events of the payment gateway have 262144 bytes at the most.");
    if (!news)
        return err_because(ERR_MEMORY, "no memory for an event of the payment gateway");
    struct payment_notice notice = {
        .signature = http_header(request, header),
        .body = request->body,
        .now_s = clock_wall_us() / US_PER_S,
        .tolerance_s = call_setting(call, OPTION_PAYMENT_WEBHOOK_TOLERANCE_S),
    };
    enum err err = payment_notice_read(app->payment, &notice, news);
    call->state = news;
    return err ? refuse(call, err) : ERR_NONE;
}

static enum err follow(struct call *call, const struct payment_news *news)
{
    bool is_open = false;
    struct text order_id = text_of(news->order_id);
    call_trace_text(call, "tandem.order.id", order_id);
    enum err err = payment_store_nudge(call->db, order_id, text_of(news->reference), clock_wall_us(), &is_open);
    if (err)
        return err;
    count(is_open ? RESULT_ASKED : RESULT_SETTLED);
    if (news->kind == PAYMENT_NEWS_REFUND_FAILED)
        log_event(LOG_ERROR, "the gateway says that a refund failed, which now needs a person",
                  LOG_TEXT("order_id", order_id));
    return ERR_NONE;
}

enum err payment_events_command(struct call *call)
{
    const struct payment_news *news = call->state;
    enum err err = ERR_NONE;
    if (news->kind == PAYMENT_NEWS_IGNORED)
        count(RESULT_IGNORED);
    else if (news->kind == PAYMENT_NEWS_FOREIGN)
        count(RESULT_FOREIGN);
    else
        err = follow(call, news);
    if (!err)
        call_empty(call, 204);
    return err;
}
