/* Settings from several files: which wins, which must be there, which must be signed; and loading them again. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "conf/settings.h"
#include "conf/signature_make.h"

enum { FAULTS_BYTES = 65536, PRINT_BYTES = 262144, PATH_SIZE = 256, OUT_MAX = 16384 };

static char *folder;
static struct buf faults;
static struct settings *settings;
static struct settings_opts opts;
static const char *overrides[2];
static char *environment[3];

static const char *path_of(const char *name)
{
    static char paths[4][PATH_SIZE];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, PATH_SIZE, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *content)
{
    FILE *file = fopen(path_of(name), "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(content, file);
    CU_ASSERT_EQUAL_FATAL(fclose(file), 0);
}

static void begin(void)
{
    static char file[PATH_SIZE];
    folder = process_folder();
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    snprintf(file, sizeof file, "%s", path_of("tandem.conf"));
    buf_init(&faults, FAULTS_BYTES);
    settings = NULL;
    memset(environment, 0, sizeof environment);
    opts = (struct settings_opts){.service = "order", .file = file, .environment = environment, .overrides = overrides};
    CU_ASSERT_EQUAL_FATAL(mkdir(path_of("conf.d"), 0700), 0);
    write_file("tandem.conf", "pool = { threads = 1; queue_max = 1; };\n"
                              "service = { order = { db = { batch_max = 1; }; }; };\n");
}

static void end(void)
{
    settings_unref(settings);
    buf_fini(&faults);
    process_remove(folder);
    free(folder);
}

static enum err load(void)
{
    settings_unref(settings);
    settings = NULL;
    buf_reset(&faults, FAULTS_BYTES);
    return settings_load(&opts, &faults, &settings);
}

/* A fault that begins with this file's path. */
static bool told(const char *name, const char *fault)
{
    char expected[PATH_SIZE * 2];
    snprintf(expected, sizeof expected, "%s%s", path_of(name), fault);
    return strstr(buf_string(&faults), expected) != NULL;
}

static int64_t number(enum option_id option)
{
    return settings_int(settings, option);
}

/* ---- files ---- */

static void test_order(void)
{
    begin();
    write_file("tandem.dev.conf", "pool = { threads = 2; queue_max = 2; };\ndb = { batch_max = 2; };\n");
    write_file("conf.d/20-b.conf", "pool = { threads = 4; };\n");
    write_file("conf.d/10-a.conf", "pool = { threads = 3; queue_max = 3; };\ndb = { queue_max = 3; };\n");
    write_file("conf.d/.hidden.conf", "nonsense");
    write_file("conf.d/20-b.conf~", "nonsense");
    CU_ASSERT_EQUAL_FATAL(load(), ERR_NONE);
    CU_ASSERT_EQUAL(number(OPTION_DB_BATCH_MAX), 1);
    CU_ASSERT_EQUAL(number(OPTION_POOL_THREADS), 4);
    CU_ASSERT_EQUAL(number(OPTION_POOL_QUEUE_MAX), 3);
    environment[0] = (char[]){"TANDEM_ENV=dev"};
    CU_ASSERT_EQUAL_FATAL(load(), ERR_NONE);
    CU_ASSERT_EQUAL(number(OPTION_DB_BATCH_MAX), 2);   /* wins over a section of an earlier file */
    CU_ASSERT_EQUAL(number(OPTION_POOL_THREADS), 4);
    write_file("conf.d/30-c.conf", "service = { order = { pool = { threads = 5; }; };\n"
                                   "            user = { pool = { queue_max = 5; }; }; };\npool = { threads = 6; };\n");
    CU_ASSERT_EQUAL_FATAL(load(), ERR_NONE);
    CU_ASSERT_EQUAL(number(OPTION_POOL_THREADS), 5);
    CU_ASSERT_EQUAL(number(OPTION_POOL_QUEUE_MAX), 3);
    environment[1] = (char[]){"TANDEM_POOL_THREADS=7"};
    CU_ASSERT_EQUAL_FATAL(load(), ERR_NONE);
    CU_ASSERT_EQUAL(number(OPTION_POOL_THREADS), 7);
    overrides[0] = "pool.threads=8";
    opts.override_count = 1;
    CU_ASSERT_EQUAL_FATAL(load(), ERR_NONE);
    CU_ASSERT_EQUAL(number(OPTION_POOL_THREADS), 8);
    end();
}

static void test_print(void)
{
    char expected[PATH_SIZE * 2];
    struct buf out;
    begin();
    buf_init(&out, PRINT_BYTES);
    write_file("tandem.prod.conf", "\npool = { threads = 2; };\n");
    write_file("conf.d/10-a.conf", "\n\ndb = { queue_max = 3; };\n");
    environment[0] = (char[]){"TANDEM_ENV=prod"};
    CU_ASSERT_EQUAL_FATAL(load(), ERR_NONE);
    settings_print(settings, &out);
    const struct {
        const char *line, *name;
        unsigned at;
    } rows[] = {
        {"queue_max = 1;    # file", "tandem.conf", 1},
        {"batch_max = 1;    # file, service section", "tandem.conf", 2},
        {"threads = 2;    # TANDEM_ENV file", "tandem.prod.conf", 2},
        {"queue_max = 3;    # conf.d file", "conf.d/10-a.conf", 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(expected, sizeof expected, "%s %s:%u\n", rows[i].line, path_of(rows[i].name), rows[i].at);
        CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&out), expected));
    }
    buf_fini(&out);
    end();
}

static void test_missing_files(void)
{
    begin();
    environment[0] = (char[]){"TANDEM_ENV=prdo"};
    CU_ASSERT_EQUAL(load(), ERR_CONFIG);
    CU_ASSERT(told("tandem.prdo.conf", ": No such file or directory; it is named by TANDEM_ENV\n"));
    static char words[][16] = {"TANDEM_ENV=../x", "TANDEM_ENV=Prod", "TANDEM_ENV=a/b", "TANDEM_ENV=a b"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        environment[0] = words[i];
        CU_ASSERT_EQUAL(load(), ERR_CONFIG);
        CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&faults), "not a word"));
    }
    environment[0] = (char[]){"TANDEM_ENV="};
    CU_ASSERT_EQUAL(load(), ERR_NONE);
    opts.file = NULL;
    CU_ASSERT_EQUAL(load(), ERR_NONE);
    environment[0] = (char[]){"TANDEM_ENV=dev"};
    CU_ASSERT_EQUAL(load(), ERR_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&faults), "--config"));
    end();
}

static void test_all_faults(void)
{
    begin();
    CU_ASSERT_EQUAL_FATAL(mkdir(path_of("conf.d/30-c.conf"), 0700), 0);
    write_file("conf.d/10-a.conf", "\npol = { threads = 1; };\n");
    write_file("conf.d/20-b.conf", "db = {\n");
    write_file("tandem.conf", "pool = { threads = 0; };\n");
    CU_ASSERT_EQUAL(load(), ERR_CONFIG);
    CU_ASSERT(told("tandem.conf", ":1: pool.threads is 0"));
    CU_ASSERT(told("conf.d/10-a.conf", ":2: unknown option pol.threads; did you mean pool.threads?"));
    CU_ASSERT(told("conf.d/20-b.conf", ":"));
    CU_ASSERT(told("conf.d/30-c.conf", ": Is a directory"));
    rmdir(path_of("conf.d/30-c.conf"));
    end();
}

/* A pipe, a folder in conf.d's place, links in a circle: nothing hangs, nothing ends the process. */
static void test_odd_files(void)
{
    begin();
    CU_ASSERT_EQUAL(mkfifo(path_of("conf.d/10.conf"), 0600), 0);
    CU_ASSERT_EQUAL(load(), ERR_NONE);
    unlink(path_of("conf.d/10.conf"));
    CU_ASSERT_EQUAL(symlink("10.conf", path_of("conf.d/10.conf")), 0);
    CU_ASSERT_EQUAL(load(), ERR_CONFIG);
    CU_ASSERT(told("conf.d/10.conf", ": "));
    unlink(path_of("conf.d/10.conf"));
    rmdir(path_of("conf.d"));
    CU_ASSERT_EQUAL(load(), ERR_NONE);
    write_file("conf.d", "");
    CU_ASSERT_EQUAL(load(), ERR_CONFIG);
    CU_ASSERT(told("conf.d", ": Not a directory"));
    end();
}

/* ---- what only all values together show ---- */

static void test_relations(void)
{
    begin();
    write_file("tandem.conf", "page = {\n limit_default = 200;\n limit_max = 100; };\n"
                              "payment = {\n retry_max_ms = 100; };\n");
    CU_ASSERT_EQUAL(load(), ERR_CONFIG);
    CU_ASSERT(told("tandem.conf", ":2: page.limit_default is 200"));
    CU_ASSERT(told("tandem.conf", ":2), more than page.limit_max, which is 100 (file "));
    CU_ASSERT(told("tandem.conf", ":5: payment.retry_first_ms is 200 (default), more than payment.retry_max_ms"));
    write_file("tandem.conf", "page = { limit_default = 100; limit_max = 100; };\n");
    CU_ASSERT_EQUAL(load(), ERR_NONE);
    end();
}

static void test_secret_modes(void)
{
    static const struct {
        unsigned mode;
        enum err err;
    } rows[] = {{0600, ERR_NONE}, {0400, ERR_NONE}, {0640, ERR_NONE}, {0644, ERR_CONFIG}, {0660, ERR_CONFIG},
                {0602, ERR_CONFIG}};
    char content[PATH_SIZE * 2];
    struct buf out;
    begin();
    buf_init(&out, PRINT_BYTES);
    snprintf(content, sizeof content, "user = {\n token_file = \"%s\"; };\n", path_of("token"));
    write_file("tandem.conf", content);
    CU_ASSERT_EQUAL(load(), ERR_NONE);   /* not there yet */
    write_file("token", "very-secret\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CU_ASSERT_EQUAL(chmod(path_of("token"), rows[i].mode), 0);
        CU_ASSERT_EQUAL(load(), rows[i].err);
        CU_ASSERT_EQUAL(told("tandem.conf", ":2: user.token_file: "), rows[i].err != ERR_NONE);
        if (settings)
            settings_print(settings, &out);
    }
    CU_ASSERT_PTR_NULL(strstr(buf_string(&out), "very-secret"));
    CU_ASSERT_PTR_NULL(strstr(buf_string(&faults), "very-secret"));
    buf_fini(&out);
    end();
}

/* ---- signed files ---- */

static struct signature_secret secret;

static void sign(const char *name)
{
    char content[OUT_MAX], signature[PATH_SIZE];
    struct buf out;
    FILE *file = fopen(path_of(name), "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    size_t length = fread(content, 1, sizeof content, file);
    fclose(file);
    buf_init(&out, OUT_MAX);
    CU_ASSERT_EQUAL(signature_sign(&secret, (struct text){content, length}, TEXT("test"), &out), ERR_NONE);
    snprintf(signature, sizeof signature, "%s.minisig", name);
    write_file(signature, buf_string(&out));
    buf_fini(&out);
}

static void begin_signed(void)
{
    static char override[PATH_SIZE];
    struct signature_key key;
    struct buf out;
    begin();
    buf_init(&out, OUT_MAX);
    signature_new(&key, &secret);
    signature_key_write(&key, &out);
    write_file("key.pub", buf_string(&out));
    buf_fini(&out);
    snprintf(override, sizeof override, "conf.public_key_file=%s", path_of("key.pub"));
    overrides[0] = override;
    opts.override_count = 1;
}

static void test_signed(void)
{
    begin_signed();
    CU_ASSERT_EQUAL(load(), ERR_CONFIG);
    CU_ASSERT(told("tandem.conf", ": its signature, "));
    sign("tandem.conf");
    CU_ASSERT_EQUAL(load(), ERR_NONE);
    CU_ASSERT_EQUAL(number(OPTION_POOL_THREADS), 1);
    write_file("conf.d/10-a.conf", "pool = { threads = 3; };\n");
    CU_ASSERT_EQUAL(load(), ERR_CONFIG);
    CU_ASSERT(told("conf.d/10-a.conf", ": its signature, "));
    sign("conf.d/10-a.conf");
    CU_ASSERT_EQUAL(load(), ERR_NONE);
    CU_ASSERT_EQUAL(number(OPTION_POOL_THREADS), 3);
    write_file("tandem.conf", "pool = { threads = 9; };\n");
    CU_ASSERT_EQUAL(load(), ERR_CONFIG);
    CU_ASSERT(told("tandem.conf", ": it is not what was signed"));
    end();
}

/* Whoever may change files may not say which key they are verified with, nor that none is needed. */
static void test_key_is_outside(void)
{
    begin_signed();
    opts.override_count = 0;
    write_file("tandem.conf", "conf = { public_key_file = \"/x\"; };\n");
    CU_ASSERT_EQUAL(load(), ERR_CONFIG);
    CU_ASSERT(told("tandem.conf", ":1: conf.public_key_file is taken from"));
    opts.override_count = 1;
    sign("tandem.conf");
    CU_ASSERT_EQUAL(load(), ERR_CONFIG);
    overrides[0] = "conf.public_key_file=/nowhere/key.pub";
    CU_ASSERT_EQUAL(load(), ERR_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&faults), "conf.public_key_file /nowhere/key.pub: No such file"));
    CU_ASSERT(!told("tandem.conf", ""));   /* not even looked at */
    end();
}

/* The key that counts is the one of the start. */
static void test_key_is_kept(void)
{
    begin_signed();
    sign("tandem.conf");
    CU_ASSERT_EQUAL_FATAL(load(), ERR_NONE);
    struct settings *running = settings;
    settings = NULL;
    write_file("key.pub", "untrusted comment: another\n");
    opts.running = running;
    CU_ASSERT_EQUAL(load(), ERR_NONE);
    write_file("tandem.conf", "");
    CU_ASSERT_EQUAL(load(), ERR_CONFIG);
    settings_unref(running);
    end();
}

/* ---- loading again ---- */

static void test_again(void)
{
    char digest[65];
    begin();
    CU_ASSERT_EQUAL_FATAL(load(), ERR_NONE);
    struct settings *running = settings;
    settings = NULL;
    opts.running = running;
    snprintf(digest, sizeof digest, "%s", settings_digest(running));
    CU_ASSERT_EQUAL_FATAL(load(), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(settings_digest(settings), digest);

    write_file("tandem.conf", "pool = { threads = 2; queue_max = 1; };\npage = { limit_max = 50; };\n"
                              "db = { path = \"/elsewhere\"; };\n"
                              "service = { order = { db = { batch_max = 1; }; }; };\n");
    CU_ASSERT_EQUAL_FATAL(load(), ERR_NONE);
    CU_ASSERT_EQUAL(number(OPTION_PAGE_LIMIT_MAX), 50);
    CU_ASSERT(settings_changed(settings, OPTION_PAGE_LIMIT_MAX));
    CU_ASSERT(!settings_changed(settings, OPTION_PAGE_LIMIT_DEFAULT));
    CU_ASSERT_EQUAL(number(OPTION_POOL_THREADS), 1);
    CU_ASSERT(settings_awaits_restart(settings, OPTION_POOL_THREADS));
    CU_ASSERT(settings_awaits_restart(settings, OPTION_DB_PATH));
    CU_ASSERT(!settings_awaits_restart(settings, OPTION_DB_BATCH_MAX));
    settings_unref(running);
    CU_ASSERT_STRING_EQUAL(settings_text(settings, OPTION_DB_PATH), "");
    CU_ASSERT_STRING_NOT_EQUAL(settings_digest(settings), digest);

    opts.running = running = settings;   /* still, at the next time */
    settings = NULL;
    CU_ASSERT_EQUAL_FATAL(load(), ERR_NONE);
    CU_ASSERT(settings_awaits_restart(settings, OPTION_POOL_THREADS));
    CU_ASSERT(!settings_changed(settings, OPTION_PAGE_LIMIT_MAX));
    CU_ASSERT_STRING_EQUAL(settings_digest(settings), settings_digest(running));
    settings_unref(running);
    end();
}

static void test_digest(void)
{
    char digest[65];
    begin();
    CU_ASSERT_EQUAL_FATAL(load(), ERR_NONE);
    snprintf(digest, sizeof digest, "%s", settings_digest(settings));
    CU_ASSERT_EQUAL(strlen(digest), 64);
    write_file("tandem.conf", "# said otherwise\npool = { queue_max = 1; threads = 1; }; db = { batch_max = 1; };\n");
    CU_ASSERT_EQUAL_FATAL(load(), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(settings_digest(settings), digest);
    overrides[0] = "pool.threads=2";
    opts.override_count = 1;
    CU_ASSERT_EQUAL_FATAL(load(), ERR_NONE);
    CU_ASSERT_STRING_NOT_EQUAL(settings_digest(settings), digest);
    end();
}

/* ---- faults on demand ---- */

static void test_faults(void)
{
    begin();
    write_file("tandem.prod.conf", "");
    write_file("conf.d/fault.conf", "\nfault = { points = \"db-read kill\"; };\n");
    CU_ASSERT_EQUAL(load(), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(settings_text(settings, OPTION_FAULT_POINTS), "db-read kill");
    environment[0] = (char[]){"TANDEM_ENV=prod"};
    CU_ASSERT_EQUAL(load(), ERR_CONFIG);
    CU_ASSERT(told("conf.d/fault.conf", ":2: fault.points is set and TANDEM_ENV is prod"));
    overrides[0] = "fault.force=on";
    opts.override_count = 1;
    CU_ASSERT_EQUAL(load(), ERR_NONE);
    write_file("conf.d/fault.conf", "fault = { points = \"db-read kil\"; };\n");
    CU_ASSERT_EQUAL(load(), ERR_CONFIG);
    CU_ASSERT(told("conf.d/fault.conf", ":1: fault.points: \"kil\" is none of what db-read can be"));
    opts.override_count = 0;
    write_file("conf.d/fault.conf", "fault = { points = \"\"; };\n");
    CU_ASSERT_EQUAL(load(), ERR_NONE);
    end();
}

static const struct suite_case cases[] = {
    {"later files win, and over sections of earlier ones", test_order},
    {"printing tells the layer, the file and the line", test_print},
    {"a file that TANDEM_ENV names must be there", test_missing_files},
    {"faults on demand are checked, and refused in production", test_faults},
    {"the faults of all files are told at once", test_all_faults},
    {"odd files are faults, or nothing", test_odd_files},
    {"related options that are out of order are a fault", test_relations},
    {"a secret that others may read is a fault, and is never told", test_secret_modes},
    {"with a key every file must be signed", test_signed},
    {"no file says which key is needed", test_key_is_outside},
    {"the key of the start is the one that counts", test_key_is_kept},
    {"loaded again, what needs a restart stays as it was", test_again},
    {"the digest is of values, however they were said", test_digest},
};

int main(void)
{
    return suite_main("conf_layers", cases, sizeof cases / sizeof cases[0]);
}
