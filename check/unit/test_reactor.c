/* net/reactor and net/deadline. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/suite.h"
#include "net/reactor.h"

enum { SENDERS = 4, MAILS = 20000 };

static struct reactor reactor;
static unsigned order[64], order_count;

struct item {
    struct deadline deadline;    /* first */
    unsigned number;
};

static void note_deadline(struct deadline *deadline)
{
    order[order_count++] = ((struct item *)deadline)->number;
}

static void test_queue(void)
{
    struct deadline_queue queue, other;
    struct item items[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    order_count = 0;
    deadline_queue_init(&queue, 10, note_deadline);
    deadline_queue_init(&other, 20, note_deadline);
    CU_ASSERT_EQUAL(deadline_queue_next_ns(&queue), INT64_MAX);
    for (int i = 0; i < 4; i++)
        deadline_arm(&queue, &items[i].deadline, i * NS_PER_MS);
    deadline_arm(&queue, &items[1].deadline, 5 * NS_PER_MS);   /* again: goes to the end */
    deadline_arm(&other, &items[2].deadline, 5 * NS_PER_MS);   /* moves to another queue */
    deadline_disarm(&items[3].deadline);
    deadline_disarm(&items[3].deadline);
    CU_ASSERT_EQUAL(deadline_queue_next_ns(&queue), 10 * NS_PER_MS);
    deadline_queue_expire(&queue, 10 * NS_PER_MS - 1);
    CU_ASSERT_EQUAL(order_count, 0);
    deadline_queue_expire(&queue, 10 * NS_PER_MS);
    CU_ASSERT_EQUAL(order_count, 1);
    deadline_queue_expire(&queue, NS_PER_S);
    deadline_queue_expire(&other, NS_PER_S);
    CU_ASSERT_EQUAL(order_count, 3);
    CU_ASSERT_TRUE(order[0] == 0 && order[1] == 1 && order[2] == 2);
    CU_ASSERT_PTR_NULL(items[0].deadline.queue);
}

static void test_queue_never(void)
{
    struct deadline_queue queue;
    struct item item = {.number = 0};
    order_count = 0;
    deadline_queue_init(&queue, 0, note_deadline);
    deadline_arm(&queue, &item.deadline, 0);
    CU_ASSERT_EQUAL(deadline_queue_next_ns(&queue), INT64_MAX);
    deadline_queue_expire(&queue, INT64_MAX - 1);
    CU_ASSERT_EQUAL(order_count, 0);
}

static struct item all[3];

static void disarm_others(struct deadline *deadline)
{
    note_deadline(deadline);
    for (int i = 0; i < 3; i++)
        deadline_disarm(&all[i].deadline);
}

static void test_queue_changed_inside(void)
{
    struct deadline_queue queue;
    order_count = 0;
    deadline_queue_init(&queue, 1, disarm_others);
    for (unsigned i = 0; i < 3; i++) {
        all[i].number = i;
        deadline_arm(&queue, &all[i].deadline, 0);
    }
    deadline_queue_expire(&queue, NS_PER_S);
    CU_ASSERT_EQUAL(order_count, 1);
}

static void begin(void)
{
    enum err err = reactor_init(&reactor);
    CU_ASSERT_EQUAL_FATAL(err, ERR_NONE);
    order_count = 0;
}

static void stop_at(struct deadline *deadline)
{
    note_deadline(deadline);
    reactor_stop(&reactor);
}

static void test_deadline_time(void)
{
    struct deadline_queue queue, later;
    struct item item = {.number = 1}, never = {.number = 2};
    begin();
    deadline_queue_init(&queue, 30, stop_at);
    deadline_queue_init(&later, 60000, note_deadline);
    reactor_add_queue(&reactor, &queue);
    reactor_add_queue(&reactor, &later);
    int64_t before_ns = clock_now_ns();
    deadline_arm(&later, &never.deadline, before_ns);
    deadline_arm(&queue, &item.deadline, before_ns);
    reactor_run(&reactor);
    CU_ASSERT_TRUE(clock_now_ns() - before_ns >= 30 * NS_PER_MS);
    CU_ASSERT_TRUE(order_count == 1 && order[0] == 1);
    reactor_fini(&reactor);
}

struct pipe_end {
    struct reactor_source source;    /* first */
    struct pipe_end *victim;
    unsigned times;
};

static void read_one(struct reactor_source *source, uint32_t events)
{
    struct pipe_end *end = (struct pipe_end *)source;
    char byte;
    CU_ASSERT_TRUE(events & EPOLLIN);
    CU_ASSERT_EQUAL(read(source->fd, &byte, 1), 1);
    if (++end->times == 3)
        reactor_stop(&reactor);
}

static void test_source(void)
{
    struct pipe_end end = {.times = 0};
    int pair[2];
    begin();
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    end.source = (struct reactor_source){.fd = pair[0], .ready = read_one};
    CU_ASSERT_EQUAL(reactor_watch(&reactor, &end.source, EPOLLIN), ERR_NONE);
    CU_ASSERT_EQUAL(write(pair[1], "abcde", 5), 5);
    reactor_run(&reactor);   /* level-triggered: called until nothing is left, or it is stopped */
    CU_ASSERT_EQUAL(end.times, 3);
    CU_ASSERT_EQUAL(reactor_watch(&reactor, &end.source, 0), ERR_NONE);
    close(pair[0]);
    close(pair[1]);
    CU_ASSERT_EQUAL(reactor_watch(&reactor, &end.source, EPOLLIN), ERR_IO);
    CU_ASSERT_EQUAL(end.source.events, 0);
    reactor_fini(&reactor);
}

static unsigned released;

static void release_end(struct reactor_source *source)
{
    released++;
    free(source);
}

static void retire_both(struct reactor_source *source, uint32_t events)
{
    struct pipe_end *end = (struct pipe_end *)source;
    (void)events;
    order_count++;
    reactor_retire(&reactor, &end->victim->source);
    reactor_retire(&reactor, source);
    CU_ASSERT_EQUAL(released, 0);   /* the batch may still name them */
    reactor_stop(&reactor);
}

/* Two are ready in one batch, and whichever is first retires both: the other must neither be called nor be gone. */
static void test_retire(void)
{
    struct pipe_end *ends[2];
    int peers[2];
    begin();
    released = 0;
    for (int i = 0; i < 2; i++) {
        int pair[2];
        CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        ends[i] = calloc(1, sizeof *ends[i]);
        ends[i]->source = (struct reactor_source){.fd = pair[0], .ready = retire_both, .release = release_end};
        peers[i] = pair[1];
        CU_ASSERT_EQUAL(reactor_watch(&reactor, &ends[i]->source, EPOLLIN), ERR_NONE);
        CU_ASSERT_EQUAL(write(peers[i], "x", 1), 1);
    }
    ends[0]->victim = ends[1];
    ends[1]->victim = ends[0];
    reactor_run(&reactor);
    CU_ASSERT_EQUAL(order_count, 1);
    CU_ASSERT_EQUAL(released, 2);
    for (int i = 0; i < 2; i++) {
        char byte;
        CU_ASSERT_TRUE(recv(peers[i], &byte, 1, 0) <= 0);   /* closed */
        close(peers[i]);
    }
    reactor_fini(&reactor);
}

struct letter {
    struct reactor_mail mail;    /* first */
    unsigned sender, number;
};

static struct letter *letters[SENDERS];
static unsigned next_of[SENDERS], delivered;

static void letter_deliver(struct reactor_mail *mail)
{
    struct letter *letter = (struct letter *)mail;
    CU_ASSERT_TRUE(reactor_is_mine(&reactor));
    if (letter->number != next_of[letter->sender]++)
        CU_FAIL("mail is out of order");
    if (++delivered == SENDERS * MAILS)
        reactor_stop(&reactor);
}

static void *sender_main(void *argument)
{
    struct letter *mine = argument;
    CU_ASSERT_FALSE(reactor_is_mine(&reactor));
    for (unsigned i = 0; i < MAILS; i++)
        reactor_post(&reactor, &mine[i].mail);
    return NULL;
}

static void test_mail(void)
{
    pthread_t threads[SENDERS];
    begin();
    delivered = 0;
    for (unsigned i = 0; i < SENDERS; i++) {
        letters[i] = calloc(MAILS, sizeof *letters[i]);
        next_of[i] = 0;
        for (unsigned n = 0; n < MAILS; n++)
            letters[i][n] = (struct letter){.mail.deliver = letter_deliver, .sender = i, .number = n};
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, sender_main, letters[i]), 0);
    }
    reactor_run(&reactor);
    CU_ASSERT_EQUAL(delivered, SENDERS * MAILS);
    for (unsigned i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
        free(letters[i]);
    }
    reactor_fini(&reactor);
}

static void count_delivery(struct reactor_mail *mail)
{
    (void)mail;
    delivered++;
}

static void test_mail_after(void)
{
    struct reactor_mail mails[3];
    begin();
    delivered = 0;
    reactor_stop(&reactor);
    reactor_run(&reactor);   /* stopped before it began: returns at once */
    for (int i = 0; i < 3; i++) {
        mails[i].deliver = count_delivery;
        reactor_post(&reactor, &mails[i]);
    }
    CU_ASSERT_EQUAL(delivered, 0);
    reactor_deliver(&reactor);
    CU_ASSERT_EQUAL(delivered, 3);
    CU_ASSERT_FALSE(reactor_is_mine(&reactor));
    reactor_fini(&reactor);
}

static const struct suite_case cases[] = {
    {"deadlines run out in order, can be moved and disarmed", test_queue},
    {"a duration of 0 never runs out", test_queue_never},
    {"what runs out may disarm the others", test_queue_changed_inside},
    {"a deadline is not early, and is not delayed by later ones", test_deadline_time},
    {"a source is called while it is ready", test_source},
    {"a source that is retired is not called again and outlives the batch", test_retire},
    {"mail of many threads arrives complete and in the order of each", test_mail},
    {"mail that came after the end can still be delivered", test_mail_after},
};

int main(void)
{
    return suite_main("reactor", cases, sizeof cases / sizeof cases[0]);
}
