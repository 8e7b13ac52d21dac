/*
 * The gateway "stripe".
 *
 * A charge is a PaymentIntent, made and confirmed with the order's id as the key: asked again, the gateway gives the
 * answer it gave before. That holds for a day, and for failed answers too, so there are two further ways to find out
 * what there is: by the PaymentIntent's id, once that is known, and by the order's id in its metadata. A charge is made
 * only where neither may find one.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/order/payment_stripe.h"
#include "apps/order/payment_stripe_answer.h"
#include "apps/order/payment_stripe_call.h"
#include "apps/order/payment_stripe_form.h"
#include "apps/order/payment_stripe_notice.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"

/* The gateway keeps a key for 24 hours at least; later it would charge for it again. */
#define KEY_KEPT_US (INT64_C(20) * 3600 * US_PER_S)

enum { ANSWER_MAX_BYTES = 256 * 1024, ARENA_MAX_BYTES = 512 * 1024, PATH_MAX_BYTES = 1024 };

static const char REFUND_KEY_SUFFIX[] = "-refund";

/* One question on its way through several calls. */
struct question {
    const struct stripe *stripe;
    const struct payment_request *request;
    enum stripe_question about;
    int64_t amount;                /* as the gateway counts it */
    struct arena arena;
    struct buf path, form;
    struct text reference;         /* of the PaymentIntent, once it is known */
    unsigned retry_after_s;
};

/* What is known so far is that nothing is, and why. */
static struct stripe_meaning not_known(void)
{
    return (struct stripe_meaning){STRIPE_WAIT, PAYMENT_REASON_NONE, NULL};
}

/* ---- one call ---- */

static enum err call(struct question *question, enum http_method method, const char *key, struct stripe_answer *ret)
{
    bool has_form = method == HTTP_POST;
    struct stripe_call what = {
        .method = method,
        .path = buf_string(&question->path),
        .form = has_form ? buf_text(&question->form) : TEXT_NONE,
        .idempotency_key = key,
    };
    enum err err = buf_check(&question->path);
    if (!err)
        err = buf_check(&question->form);
    if (!err)
        err = stripe_call(question->stripe, &what, &question->arena, ret);
    if (!err && ret->retry_after_s > question->retry_after_s)
        question->retry_after_s = ret->retry_after_s;
    buf_reset(&question->path, PATH_MAX_BYTES);
    buf_reset(&question->form, STRIPE_FORM_MAX_BYTES);
    return err;
}

static bool is_error(const struct stripe_answer *answer)
{
    return answer->status >= 300;
}

/* ---- what there is ---- */

static struct stripe_meaning judge(enum stripe_question about, const struct stripe_object *object)
{
    struct stripe_meaning meaning = stripe_meaning_of_object(about, object);
    if (meaning.cause)
        err_because(ERR_UNAVAILABLE, "%s: %.*s", meaning.cause, TEXT_ARGS(object->status));
    return meaning;
}

/* Of this order, and of its amount. */
static bool is_ours(const struct question *question, const struct stripe_object *object)
{
    char currency[STRIPE_CURRENCY_SIZE];
    const struct payment_request *request = question->request;
    return object->id.length > 0 && object->amount == question->amount &&
           text_equal_string(object->currency, stripe_currency(request->amount.currency, currency)) &&
           text_equal(object->metadata.order_id, request->key);
}

static struct stripe_meaning judge_intent(struct question *question, const struct stripe_object *intent)
{
    if (!is_ours(question, intent))
        return (struct stripe_meaning){STRIPE_NONE, PAYMENT_REASON_NONE, NULL};
    question->reference = intent->id;
    return judge(STRIPE_CHARGE, intent);
}

static struct stripe_meaning judge_error(struct question *question, const struct stripe_answer *answer)
{
    struct stripe_meaning meaning = stripe_meaning_of_error(question->about, answer);
    const struct stripe_failure *failure = &answer->error.failure;
    const struct stripe_object *intent = &answer->error.intent;
    if (intent->id.at && !is_ours(question, intent)) {
        err_because(ERR_PROTOCOL, "the gateway's error is about something else");
        return not_known();
    }
    if (intent->id.at)
        question->reference = intent->id;
    if (meaning.cause)
        err_because(ERR_UNAVAILABLE, "%s: %d %.*s %.*s", meaning.cause, answer->status, TEXT_ARGS(failure->type),
                    TEXT_ARGS(failure->code));
    return meaning;
}

static struct stripe_meaning retrieve(struct question *question, struct text reference)
{
    struct stripe_answer answer;
    stripe_path_intent(&question->path, reference);
    if (call(question, HTTP_GET, NULL, &answer))
        return not_known();
    struct stripe_meaning meaning =
        is_error(&answer) ? judge_error(question, &answer) : judge_intent(question, &answer.object);
    if (is_error(&answer) && meaning.verdict == STRIPE_NONE) {
        err_because(ERR_UNAVAILABLE,
                    "the gateway does not know the charge: payment.stripe_key_file is of another account");
        return not_known();
    }
    return meaning;
}

/* An index says which there are, and may lag behind in how they are: each is asked for. */
static struct stripe_meaning judge_found(struct question *question, const struct stripe_object *found)
{
    if (question->about == STRIPE_REFUND)
        return judge(STRIPE_REFUND, found);
    if (!is_ours(question, found))
        return (struct stripe_meaning){STRIPE_NONE, PAYMENT_REASON_NONE, NULL};
    struct stripe_meaning meaning = retrieve(question, found->id);
    return meaning.verdict == STRIPE_NONE ? not_known() : meaning;
}

/* Of several, which there should not be, the one that counts most: the verdicts rise. */
static struct stripe_meaning judge_list(struct question *question, const struct stripe_answer *answer)
{
    const struct stripe_object *objects = answer->list.elements;
    struct stripe_meaning best = {STRIPE_NONE, PAYMENT_REASON_NONE, NULL};
    struct text best_reference = question->reference;
    for (size_t i = 0; i < answer->list.count; i++) {
        struct stripe_meaning meaning = judge_found(question, &objects[i]);
        if (meaning.verdict > best.verdict) {
            best = meaning;
            best_reference = question->reference;
        }
    }
    question->reference = best_reference;
    return best;
}

static struct stripe_meaning look(struct question *question)
{
    struct stripe_answer answer;
    if (question->about == STRIPE_CHARGE)
        stripe_path_search(&question->path, question->request->key);
    else
        stripe_path_refunds_of(&question->path, question->reference);
    if (call(question, HTTP_GET, NULL, &answer))
        return not_known();
    return is_error(&answer) ? judge_error(question, &answer) : judge_list(question, &answer);
}

/* Where the key tells nothing any more. Nothing found is not nothing there: it may take a while to be found. */
static struct stripe_meaning look_instead(struct question *question)
{
    struct stripe_meaning found = look(question);
    return found.verdict == STRIPE_NONE || found.verdict == STRIPE_LOOK ? not_known() : found;
}

/* ---- charging ---- */

static struct stripe_meaning create(struct question *question)
{
    char key[ID_SIZE];
    struct stripe_answer answer;
    struct stripe_meaning meaning;
    snprintf(key, sizeof key, "%.*s", TEXT_ARGS(question->request->key));
    buf_add_string(&question->path, "/v1/payment_intents");
    stripe_form_charge(&question->form, question->request, question->amount);
    if (call(question, HTTP_POST, key, &answer))
        return not_known();
    meaning = is_error(&answer) ? judge_error(question, &answer) : judge_intent(question, &answer.object);
    if (meaning.verdict == STRIPE_LOOK)
        meaning = look_instead(question);
    if (meaning.verdict == STRIPE_NONE) {
        err_because(ERR_PROTOCOL, "the gateway's answer is about something else");
        meaning = not_known();
    }
    return meaning;
}

/* So that it cannot be completed later, when the order is given up. */
static struct stripe_meaning cancel(struct question *question, struct stripe_meaning why)
{
    struct stripe_answer answer;
    stripe_path_cancel(&question->path, question->reference);
    stripe_form_add(&question->form, "cancellation_reason", TEXT("abandoned"));
    if (call(question, HTTP_POST, NULL, &answer))
        return not_known();
    struct stripe_meaning meaning =
        is_error(&answer) ? judge_error(question, &answer) : judge_intent(question, &answer.object);
    if (meaning.verdict == STRIPE_REFUSED)
        return (struct stripe_meaning){STRIPE_REFUSED, why.reason, NULL};
    return meaning.verdict == STRIPE_DONE ? meaning : not_known();
}

static bool may_be_forgotten(const struct payment_request *request)
{
    return request->asked_us != 0 && clock_wall_us() - request->asked_us > KEY_KEPT_US;
}

static struct stripe_meaning charge(struct question *question)
{
    struct stripe_meaning meaning = {STRIPE_NONE, PAYMENT_REASON_NONE, NULL};
    if (!stripe_amount(question->request->amount, &question->amount))
        return (struct stripe_meaning){STRIPE_REFUSED, PAYMENT_REASON_AMOUNT_REFUSED, NULL};
    if (question->request->reference.at)
        meaning = retrieve(question, question->request->reference);
    if (meaning.verdict == STRIPE_NONE && may_be_forgotten(question->request))
        meaning = look(question);
    if (meaning.verdict == STRIPE_NONE && secret_reveal(question->request->method).length == 0)
        return (struct stripe_meaning){STRIPE_REFUSED, PAYMENT_REASON_METHOD_UNUSABLE, NULL};
    if (meaning.verdict == STRIPE_NONE)
        meaning = create(question);
    if (meaning.verdict == STRIPE_CANCEL)
        meaning = cancel(question, meaning);
    return meaning;
}

/* ---- giving back ---- */

static struct stripe_meaning give_back(struct question *question)
{
    char key[ID_SIZE + sizeof REFUND_KEY_SUFFIX];
    struct stripe_answer answer;
    snprintf(key, sizeof key, "%.*s%s", TEXT_ARGS(question->request->key), REFUND_KEY_SUFFIX);
    buf_add_string(&question->path, "/v1/refunds");
    stripe_form_refund(&question->form, question->request, question->reference);
    if (call(question, HTTP_POST, key, &answer))
        return not_known();
    struct stripe_meaning meaning = is_error(&answer) ? judge_error(question, &answer)
                                                      : judge(STRIPE_REFUND, &answer.object);
    return meaning.verdict == STRIPE_LOOK ? look_instead(question) : meaning;
}

/* A charge of ours has its reference since it was approved. Without one it was another gateway's, if anybody's; no
 * charge is ever made to find out. */
static struct stripe_meaning refund(struct question *question)
{
    struct stripe_meaning meaning = {STRIPE_DONE, PAYMENT_REASON_NONE, NULL};
    if (!stripe_amount(question->request->amount, &question->amount))
        return (struct stripe_meaning){STRIPE_REFUSED, PAYMENT_REASON_NONE, NULL};
    question->reference = question->request->reference;
    if (!question->reference.at) {
        question->about = STRIPE_CHARGE;
        meaning = look(question);
        question->about = STRIPE_REFUND;
    }
    if (meaning.verdict == STRIPE_DONE)
        return give_back(question);
    return meaning.verdict == STRIPE_WAIT || meaning.verdict == STRIPE_LOOK
               ? not_known()
               : (struct stripe_meaning){STRIPE_REFUSED, PAYMENT_REASON_NONE, NULL};
}

/* ---- the driver ---- */

static void tell(const struct question *question, struct stripe_meaning meaning, struct payment_answer *ret)
{
    *ret = (struct payment_answer){.outcome = PAYMENT_UNKNOWN};
    if (meaning.verdict == STRIPE_DONE)
        ret->outcome = PAYMENT_APPROVED;
    if (meaning.verdict == STRIPE_REFUSED) {
        ret->outcome = PAYMENT_DECLINED;
        ret->reason = meaning.reason;
    }
    if (ret->outcome == PAYMENT_UNKNOWN)
        ret->retry_after_s = question->retry_after_s;
    snprintf(ret->reference, sizeof ret->reference, "%.*s", TEXT_ARGS(question->reference));
}

static void ask(void *state, const struct payment_request *request, enum stripe_question about,
                struct payment_answer *ret)
{
    struct question question = {.stripe = state, .request = request, .about = about};
    arena_init(&question.arena, ARENA_MAX_BYTES);
    buf_init(&question.path, PATH_MAX_BYTES);
    buf_init(&question.form, STRIPE_FORM_MAX_BYTES);
    tell(&question, about == STRIPE_CHARGE ? charge(&question) : refund(&question), ret);
    buf_fini(&question.form);
    buf_fini(&question.path);
    arena_fini(&question.arena);
}

static void driver_charge(void *state, const struct payment_request *request, struct payment_answer *ret)
{
    ask(state, request, STRIPE_CHARGE, ret);
}

static void driver_refund(void *state, const struct payment_request *request, struct payment_answer *ret)
{
    ask(state, request, STRIPE_REFUND, ret);
}

static enum err driver_read_notice(void *state, const struct payment_notice *notice, struct payment_news *ret)
{
    return stripe_notice_read(state, notice, ret);
}

static void driver_close(void *state)
{
    struct stripe *stripe = state;
    if (!stripe)
        return;
    client_free(stripe->client);
    free(stripe->key_file);
    free(stripe->webhook_secret_file);
    free(stripe);
}

static enum err driver_check(const struct payment_opts *opts)
{
    enum err err = stripe_url_check(opts->stripe_url);
    if (!err)
        err = stripe_key_check(opts->stripe_key_file);
    return err ? err : stripe_secrets_check(opts->webhook_secret_file);
}

static enum err make(const struct payment_opts *opts, struct stripe *stripe)
{
    struct client_opts client = {
        .base_url = opts->stripe_url,
        .connect_timeout_ms = opts->timeout_ms,
        .response_max_bytes = ANSWER_MAX_BYTES,
        .target = "stripe",
        .breaker_failures = opts->breaker_failures,
        .breaker_open_ms = opts->breaker_open_ms,
        .breaker_probes = opts->breaker_probes,
    };
    stripe->key_file = strdup(opts->stripe_key_file);
    stripe->webhook_secret_file = strdup(opts->webhook_secret_file);
    stripe->timeout_ms = opts->timeout_ms;
    if (!stripe->key_file || !stripe->webhook_secret_file)
        return err_because(ERR_MEMORY, "no memory for the payment driver");
    return client_new(&client, &stripe->client);
}

static enum err driver_open(const struct payment_opts *opts, void **ret)
{
    struct stripe *stripe = calloc(1, sizeof *stripe);
    if (!stripe)
        return err_because(ERR_MEMORY, "no memory for the payment driver");
    enum err err = make(opts, stripe);
    if (err)
        driver_close(stripe);
    else
        *ret = stripe;
    return err;
}

const struct payment_driver payment_stripe = {
    .name = "stripe",
    .batch_max = 1,
    .needs_method = true,
    .notice_header = "Stripe-Signature",
    .check = driver_check,
    .open = driver_open,
    .close = driver_close,
    .charge = driver_charge,
    .refund = driver_refund,
    .read_notice = driver_read_notice,
};
