/* Writes a manual page or a sample file from its table, to standard output: for whoever changes the table. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/option_pages.h"
#include "telemetry/metric_page.h"

enum { PAGE_MAX_BYTES = 1024 * 1024 };

static void write_sample(struct buf *out) { option_sample(NULL, out); }
static void write_dev(struct buf *out) { option_sample("dev", out); }
static void write_staging(struct buf *out) { option_sample("staging", out); }
static void write_prod(struct buf *out) { option_sample("prod", out); }

static const struct {
    const char *name;
    void (*write)(struct buf *out);
} pages[] = {
    {"manual", option_manual},
    {"metrics", metric_manual},
    {"sample", write_sample},
    {"sample-dev", write_dev},
    {"sample-staging", write_staging},
    {"sample-prod", write_prod},
};

int main(int argc, char **argv)
{
    struct buf out;
    buf_init(&out, PAGE_MAX_BYTES);
    for (size_t i = 0; argc == 2 && i < sizeof pages / sizeof pages[0]; i++) {
        if (strcmp(argv[1], pages[i].name) == 0)
            pages[i].write(&out);
    }
    int status = EXIT_SUCCESS;
    if (out.length == 0 || out.failed || fwrite(out.data, 1, out.length, stdout) != out.length || fflush(stdout)) {
        fprintf(stderr, "usage: option-pages manual|metrics|sample|sample-dev|sample-staging|sample-prod\n");
        status = EXIT_FAILURE;
    }
    buf_fini(&out);
    return status;
}
