/* Settings: the option table, its layers, and that every fault is told, at once and with its place. */
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check/harness/suite.h"
#include "conf/option.h"
#include "conf/option_pages.h"
#include "conf/settings.h"

enum { FAULTS_BYTES = 65536, PRINT_BYTES = 262144, PATH_BYTES = 128, OVERRIDES = 8 };

static char folder[64], path[PATH_BYTES];
static struct buf faults;
static struct settings *settings;
static struct settings_opts opts;

static void begin(void)
{
    snprintf(folder, sizeof folder, "%s/tandem-conf-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/tandem.conf", folder);
    buf_init(&faults, FAULTS_BYTES);
    settings = NULL;
    opts = (struct settings_opts){.service = "order"};
}

static void end(void)
{
    settings_unref(settings);
    buf_fini(&faults);
    unlink(path);
    rmdir(folder);
}

static void write_file(const char *name, const char *content)
{
    FILE *file = fopen(name, "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(content, file);
    CU_ASSERT_EQUAL_FATAL(fclose(file), 0);
}

static enum err load(void)
{
    settings_unref(settings);
    settings = NULL;
    buf_reset(&faults, FAULTS_BYTES);
    return settings_load(&opts, &faults, &settings);
}

static enum err load_file(const char *content)
{
    write_file(path, content);
    opts.file = path;
    return load();
}

static enum err load_override(const char *override)
{
    opts.overrides = &override;
    opts.override_count = 1;
    enum err err = load();
    opts.override_count = 0;
    return err;
}

static bool told(const char *fault)
{
    return strstr(buf_string(&faults), fault) != NULL;
}

/* A fault at a line of the file. */
static bool told_at(unsigned line, const char *fault)
{
    char expected[PATH_BYTES + 256];

    snprintf(expected, sizeof expected, "%s:%u: %s", path, line, fault);
    return told(expected);
}

static void test_table(void)
{
    struct arena arena;
    union option_value value;

    arena_init(&arena, 65536);
    for (size_t i = 0; i < option_count; i++) {
        const struct option *option = &option_table[i];
        char name[OPTION_ENVIRONMENT_SIZE];

        CU_ASSERT_EQUAL(option_find(text_of(option->path)), (ptrdiff_t)i);
        CU_ASSERT_EQUAL(option_read(option, text_of(option->initial), &arena, &value), ERR_NONE);
        CU_ASSERT(strlen(option->help) > 0 && !strchr(option->help, '\n'));
        CU_ASSERT_EQUAL(strlen(option_environment(option, name)), strlen("TANDEM_") + strlen(option->path));
    }
    arena_fini(&arena);
    CU_ASSERT_EQUAL(option_find(TEXT("db")), -1);
    CU_ASSERT_EQUAL(option_find(TEXT("db.pat")), -1);
    CU_ASSERT_EQUAL(option_find(TEXT_NONE), -1);
}

static void test_nearest(void)
{
    char longer[300];

    CU_ASSERT_STRING_EQUAL(option_nearest(TEXT("db.pth")), "db.path");
    CU_ASSERT_STRING_EQUAL(option_nearest(TEXT("log.levle")), "log.level");
    CU_ASSERT_PTR_NULL(option_nearest(TEXT("something.else.entirely")));
    memset(longer, 'x', sizeof longer);
    CU_ASSERT_PTR_NULL(option_nearest((struct text){longer, sizeof longer}));
}

/* The edges of a range are in it; what is next to them is not. */
static void test_ranges(void)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option *option = &option_table[i];

        if (option->type != OPTION_INTEGER)
            continue;
        const struct {
            int64_t value;
            enum err err;
        } rows[] = {{option->min, ERR_NONE}, {option->max, ERR_NONE}, {option->min - 1, ERR_CONFIG},
                    {option->max + 1, ERR_CONFIG}};
        for (size_t j = 0; j < sizeof rows / sizeof rows[0]; j++) {
            err_clear();
            CU_ASSERT_EQUAL(option_check(option, (union option_value){.integer = rows[j].value}), rows[j].err);
            CU_ASSERT_EQUAL(strstr(err_cause(), option->path) != NULL, rows[j].err != ERR_NONE);
        }
    }
}

static void test_defaults(void)
{
    begin();
    CU_ASSERT_EQUAL_FATAL(load(), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(settings_text(settings, OPTION_SERVER_TRANSPORT), "native");
    CU_ASSERT_STRING_EQUAL(settings_text(settings, OPTION_SERVER_LISTEN), "");
    CU_ASSERT_EQUAL(settings_int(settings, OPTION_SERVER_CONNECTIONS_MAX), 4096);
    CU_ASSERT_EQUAL(settings_int(settings, OPTION_BUS_MAX_BYTES), 1073741824);
    CU_ASSERT_EQUAL(settings_int(settings, OPTION_SERVER_SOCKET_MODE), 0660);
    end();
}

/* As octal in every layer; numbers without a zero are what they were. */
static void test_mode(void)
{
    static const struct {
        const char *file;
        int64_t mode;
    } rows[] = {
        {"server = { socket_mode = \"0640\"; };", 0640}, {"server = { socket_mode = 432; };", 0660},
        {"server = { socket_mode = \"432\"; };", 0660},  {"server = { socket_mode = 0x1b0; };", 0660},
    };
    static const char *const wrong[] = {
        "server = { socket_mode = 0660; };", "server = { socket_mode = \"660\"; };",
        "server = { socket_mode = \"01777\"; };", "server = { socket_mode = \"0680\"; };",
    };
    const char *environment[] = {"TANDEM_SERVER_SOCKET_MODE=0600", NULL};
    struct buf printed;
    begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CU_ASSERT_EQUAL_FATAL(load_file(rows[i].file), ERR_NONE);
        CU_ASSERT_EQUAL(settings_int(settings, OPTION_SERVER_SOCKET_MODE), rows[i].mode);
    }
    buf_init(&printed, 1024 * 1024);
    settings_print(settings, &printed);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&printed), "socket_mode = \"0660\";"));
    buf_fini(&printed);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CU_ASSERT_EQUAL(load_file(wrong[i]), ERR_CONFIG);
        CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&faults), "server.socket_mode is "));
    }
    opts.environment = (char *const *)environment;
    CU_ASSERT_EQUAL_FATAL(load_file(""), ERR_NONE);
    CU_ASSERT_EQUAL(settings_int(settings, OPTION_SERVER_SOCKET_MODE), 0600);
    end();
}

static void test_file(void)
{
    begin();
    CU_ASSERT_EQUAL_FATAL(load_file("# a comment\n"
                                    "log = { level = \"debug\"; };\n"
                                    "db : { path = \"/var/lib/a \\\"b\\\".db\"; batch_max = 0x10; };\n"
                                    "bus = { max_bytes = 4294967296L; };\n"), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(settings_text(settings, OPTION_LOG_LEVEL), "debug");
    CU_ASSERT_STRING_EQUAL(settings_text(settings, OPTION_DB_PATH), "/var/lib/a \"b\".db");
    CU_ASSERT_EQUAL(settings_int(settings, OPTION_DB_BATCH_MAX), 16);
    CU_ASSERT_EQUAL(settings_int(settings, OPTION_BUS_MAX_BYTES), INT64_C(4294967296));
    CU_ASSERT_EQUAL(settings_int(settings, OPTION_DB_QUEUE_MAX), 8192);
    CU_ASSERT_EQUAL(load_file(""), ERR_NONE);
    end();
}

static void test_layers(void)
{
    const char *environment[] = {"PATH=/bin", "TANDEM_POOL_THREADS=7", "TANDEM_LOG_LEVEL=error", "TANDEM_LOG_LEVELS=x",
                                 "TANDEM_BUILDDIR=/x", NULL};
    const char *overrides[] = {"log.level=critical", "db.path=", "user.url=http://a/?b=c"};

    begin();
    opts.environment = (char *const *)environment;
    CU_ASSERT_EQUAL_FATAL(load_file("service = { order = { pool = { threads = 5; queue_max = 6; }; };\n"
                                    "            user = { pool = { threads = 2; queue_max = 3; }; }; };\n"
                                    "pool = { threads = 3; queue_max = 4; };\n"
                                    "db = { batch_max = 9; path = \"/x\"; };\n"), ERR_NONE);
    CU_ASSERT_EQUAL(settings_int(settings, OPTION_DB_BATCH_MAX), 9);
    CU_ASSERT_EQUAL(settings_int(settings, OPTION_POOL_QUEUE_MAX), 6);
    CU_ASSERT_EQUAL(settings_int(settings, OPTION_POOL_THREADS), 7);
    CU_ASSERT_STRING_EQUAL(settings_text(settings, OPTION_LOG_LEVEL), "error");
    opts.overrides = overrides;
    opts.override_count = sizeof overrides / sizeof overrides[0];
    CU_ASSERT_EQUAL_FATAL(load(), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(settings_text(settings, OPTION_LOG_LEVEL), "critical");
    CU_ASSERT_STRING_EQUAL(settings_text(settings, OPTION_DB_PATH), "");
    CU_ASSERT_STRING_EQUAL(settings_text(settings, OPTION_USER_URL), "http://a/?b=c");
    opts.service = NULL;
    opts.environment = NULL;
    CU_ASSERT_EQUAL_FATAL(load(), ERR_NONE);
    CU_ASSERT_EQUAL(settings_int(settings, OPTION_POOL_THREADS), 3);
    end();
}

/* A name that others know, too; ours wins. */
static void test_alias(void)
{
    const char *environment[] = {"ENABLE_TRACING=false", NULL, NULL};
    begin();
    opts.environment = (char *const *)environment;
    CU_ASSERT_EQUAL_FATAL(load_file("trace = { enabled = \"on\"; };\n"), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(settings_text(settings, OPTION_TRACE_ENABLED), "off");
    environment[0] = "ENABLE_TRACING=true";
    CU_ASSERT_EQUAL_FATAL(load_file("trace = { enabled = \"off\"; };\n"), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(settings_text(settings, OPTION_TRACE_ENABLED), "on");
    environment[1] = "TANDEM_TRACE_ENABLED=off";
    CU_ASSERT_EQUAL_FATAL(load(), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(settings_text(settings, OPTION_TRACE_ENABLED), "off");
    environment[0] = "ENABLE_TRACING=maybe";
    CU_ASSERT_EQUAL(load(), ERR_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&faults), "ENABLE_TRACING: "));
    end();
}

static void test_ratio(void)
{
    begin();
    CU_ASSERT_EQUAL_FATAL(load_file("trace = { ratio = \"0.25\"; };\n"), ERR_NONE);
    CU_ASSERT_EQUAL(load_file("trace = {\n  ratio = \"1.5\"; };\n"), ERR_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&faults), ":2: trace.ratio is \"1.5\": a ratio is a number from 0 to 1"));
    end();
}

static void test_faults(void)
{
    const char *environment[] = {"TANDEM_POOL_THREADS=many", NULL};
    const char *overrides[] = {"log.levle=debug", "log.level", "pool.threads=1.5"};

    begin();
    opts.environment = (char *const *)environment;
    opts.overrides = overrides;
    opts.override_count = sizeof overrides / sizeof overrides[0];
    CU_ASSERT_EQUAL(load_file("db = {\n"
                              "    pth = \"/x\";\n"
                              "    batch_max = 0;\n"
                              "    queue_max = \"8\";\n"
                              "    busy_timeout_ms = 1.5;\n"
                              "};\n"
                              "log = { level = \"loud\"; };\n"
                              "log_level = \"debug\";\n"
                              "service = { user = { db = { batch_max = -1; }; }; };\n"
                              "bus = { url = (\"a\"); };\n"
                              "order = 7;\n"), ERR_CONFIG);
    CU_ASSERT_PTR_NULL(settings);
    CU_ASSERT(told_at(2, "unknown option db.pth; did you mean db.path?\n"));
    CU_ASSERT(told_at(3, "db.batch_max is 0, outside 1 to 65536"));
    CU_ASSERT(told_at(4, "db.queue_max has the wrong type"));
    CU_ASSERT(told_at(5, "db.busy_timeout_ms has the wrong type"));
    CU_ASSERT(told_at(7, "log.level is \"loud\", not one of debug|info"));
    CU_ASSERT(told_at(8, "unknown option log_level; did you mean log.level?\n"));
    CU_ASSERT(told_at(9, "db.batch_max is -1"));
    CU_ASSERT(told_at(10, "bus.url has the wrong type"));
    CU_ASSERT(told_at(11, "unknown option order"));
    CU_ASSERT(told("TANDEM_POOL_THREADS: pool.threads is \"many\", not an integer\n"));
    CU_ASSERT(told("unknown option log.levle; did you mean log.level?\n"));
    CU_ASSERT(told("--set log.level: say it as path=value\n"));
    CU_ASSERT(told("pool.threads is \"1.5\", not an integer\n"));
    end();
}

static void test_bad_services(void)
{
    begin();
    CU_ASSERT_EQUAL(load_file("service = 7;"), ERR_CONFIG);
    CU_ASSERT(told_at(1, "service is a group"));
    CU_ASSERT_EQUAL(load_file("service = {\n order = 7;\n};"), ERR_CONFIG);
    CU_ASSERT(told_at(2, "a service's section is a group"));
    CU_ASSERT_EQUAL(load_file("service = { order = {\n service = { order = { }; }; x = 1; }; };"), ERR_CONFIG);
    CU_ASSERT_EQUAL(load_file("service = {\n oder = { };\n};"), ERR_CONFIG);
    CU_ASSERT(told_at(2, "unknown service oder; did you mean order?"));
    CU_ASSERT_EQUAL(load_file("a={b={c={d={e={f={g={h={i={j={k={l=1;};};};};};};};};};};};"), ERR_CONFIG);
    CU_ASSERT(told_at(1, "groups are nested too deeply"));
    end();
}

static void test_syntax(void)
{
    begin();
    CU_ASSERT_EQUAL(load_file("log = {\n    level = ;\n};\n"), ERR_CONFIG);
    CU_ASSERT(told_at(2, ""));
    CU_ASSERT_EQUAL(load_file("log = {\n    level = \"never ended;\n"), ERR_CONFIG);
    CU_ASSERT_EQUAL(load_file("log = { level = \"info\"; level = \"debug\"; };\n"), ERR_CONFIG);
    CU_ASSERT(told_at(1, "duplicate setting name: a file has each group and option once"));
    end();
}

static void test_unreadable_file(void)
{
    begin();
    opts.file = path;
    CU_ASSERT_EQUAL(load(), ERR_CONFIG);
    CU_ASSERT(told(path) && told("No such file"));
    opts.file = folder;
    CU_ASSERT_EQUAL(load(), ERR_CONFIG);
    CU_ASSERT(told(folder) && told("directory"));
    static const char with_nul[] = "log = { };\0junk";
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fwrite(with_nul, 1, sizeof with_nul, file);
    fclose(file);
    opts.file = path;
    CU_ASSERT_EQUAL(load(), ERR_CONFIG);
    CU_ASSERT(told("NUL"));
    static char large[1024 * 1024 + 2];
    memset(large, '\n', sizeof large - 1);
    CU_ASSERT_EQUAL(load_file(large), ERR_CONFIG);
    CU_ASSERT(told("larger than"));
    large[sizeof large - 2] = '\0';
    CU_ASSERT_EQUAL(load_file(large), ERR_NONE);
    end();
}

/* libconfig would read them, and end the process when one is a folder. */
static void test_includes(void)
{
    char content[2 * PATH_BYTES];

    begin();
    snprintf(content, sizeof content, "pool = { threads = 3; };\n@include \"%s\"\n", folder);
    CU_ASSERT_EQUAL(load_file(content), ERR_CONFIG);
    CU_ASSERT(told_at(2, "there is no @include"));
    CU_ASSERT_EQUAL(load_file("\n \t@include \"/nowhere/x.conf\""), ERR_CONFIG);
    CU_ASSERT(told_at(2, "there is no @include"));
    CU_ASSERT_EQUAL(load_file("# see @include\nuser = { url = \"http://a@b/\"; };\n"), ERR_NONE);
    end();
}

static void test_many_faults(void)
{
    begin();
    buf_fini(&faults);
    buf_init(&faults, 64);
    CU_ASSERT_EQUAL(settings_load(&opts, &faults, &settings), ERR_NONE);
    write_file(path, "db = { batch_max = 0; queue_max = 0; };\n");
    opts.file = path;
    settings_unref(settings);
    settings = NULL;
    CU_ASSERT_EQUAL(settings_load(&opts, &faults, &settings), ERR_CONFIG);
    CU_ASSERT_PTR_NULL(settings);
    end();
}

static const char *print(struct buf *out)
{
    buf_fini(out);
    buf_init(out, PRINT_BYTES);
    settings_print(settings, out);
    CU_ASSERT_EQUAL(buf_check(out), ERR_NONE);
    return buf_string(out);
}

static void test_print_origins(void)
{
    const char *environment[] = {"TANDEM_POOL_THREADS=7", NULL};
    char expected[PATH_BYTES + 64];
    struct buf out;

    begin();
    buf_init(&out, PRINT_BYTES);
    opts.environment = (char *const *)environment;
    write_file(path, "service = { order = { pool = { queue_max = 6; }; }; };\n\nbus = { max_bytes = 4294967296L; };\n");
    opts.file = path;
    CU_ASSERT_EQUAL_FATAL(load_override("log.level=debug"), ERR_NONE);
    print(&out);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "    threads = 7;    # environment TANDEM_POOL_THREADS\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "    level = \"debug\";    # argument\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "    transport = \"native\";    # default\n"));
    snprintf(expected, sizeof expected, "    queue_max = 6;    # file, service section %s:1\n", path);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, expected));
    snprintf(expected, sizeof expected, "    max_bytes = 4294967296L;    # file %s:3\n", path);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, expected));
    buf_fini(&out);
    end();
}

/* What is printed is a file, and says the same again. */
static void test_print_reads_back(void)
{
    const char *overrides[] = {"db.path=a \"b\" \\ c\n\td\x01 \xc3\xa9", "bus.max_bytes=1099511627776",
                               "pool.threads=9"};
    struct buf out;

    begin();
    buf_init(&out, PRINT_BYTES);
    opts.overrides = overrides;
    opts.override_count = sizeof overrides / sizeof overrides[0];
    CU_ASSERT_EQUAL_FATAL(load(), ERR_NONE);
    print(&out);
    opts.override_count = 0;
    CU_ASSERT_EQUAL_FATAL(load_file(buf_string(&out)), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(settings_text(settings, OPTION_DB_PATH), overrides[0] + strlen("db.path="));
    CU_ASSERT_EQUAL(settings_int(settings, OPTION_BUS_MAX_BYTES), INT64_C(1099511627776));
    CU_ASSERT_EQUAL(settings_int(settings, OPTION_POOL_THREADS), 9);
    buf_fini(&out);
    end();
}

static void test_references(void)
{
    begin();
    CU_ASSERT_EQUAL_FATAL(load(), ERR_NONE);
    struct settings *other = settings_ref(settings);
    settings_unref(settings);
    CU_ASSERT_EQUAL(settings_int(other, OPTION_POOL_THREADS), 4);
    settings = NULL;
    settings_unref(other);
    settings_unref(NULL);
    end();
}

static void test_pages(void)
{
    struct buf out;

    begin();
    buf_init(&out, PRINT_BYTES);
    option_sample(NULL, &out);
    CU_ASSERT_EQUAL(buf_check(&out), ERR_NONE);
    CU_ASSERT_EQUAL(load_file(buf_string(&out)), ERR_NONE);
    for (size_t i = 0; i < option_count; i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&out), option_table[i].help));
    buf_reset(&out, 0);
    option_manual(&out);
    for (size_t i = 0; i < option_count; i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&out), option_table[i].path));
    buf_fini(&out);
    end();
}

static const struct suite_case cases[] = {
    {"a variable that others know says it, too", test_alias},
    {"a ratio is checked", test_ratio},
    {"every row of the table keeps its own rules", test_table},
    {"an unknown name finds its nearest", test_nearest},
    {"ranges hold at their edges", test_ranges},
    {"without layers there are defaults", test_defaults},
    {"permission bits are octal in a string, and old numbers are what they were", test_mode},
    {"a file sets what it names", test_file},
    {"later layers win over earlier ones", test_layers},
    {"every fault is told at once, with its place", test_faults},
    {"sections of services must be sections", test_bad_services},
    {"a syntax error is told with its line", test_syntax},
    {"a file that cannot be read is told", test_unreadable_file},
    {"including a file is a fault", test_includes},
    {"more faults than fit are still faults", test_many_faults},
    {"printing tells where each value came from", test_print_origins},
    {"what is printed reads back the same", test_print_reads_back},
    {"a snapshot lives as long as its last reference", test_references},
    {"manual and sample hold every option", test_pages},
};

int main(void)
{
    return suite_main("conf", cases, sizeof cases / sizeof cases[0]);
}
