/*
 * Runs a fuzz target over files instead of under libFuzzer, and tells each as a line of TAP.
 *
 *     fuzz_json [FOLDER…]    without a folder: check/fuzz/corpus/json of the source tree that TANDEM_SRCDIR names
 */
#include "config.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/fuzz/fuzz.h"

enum { PATH_SIZE = 4096 };

static unsigned files_done;

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* The file in memory of exactly its size, so that a sanitizer sees a read beyond it. */
static uint8_t *read_whole(const char *path, size_t *ret_size)
{
    uint8_t *data = NULL;
    FILE *file = fopen(path, "rb");

    if (file && fseek(file, 0, SEEK_END) == 0) {
        long size = ftell(file);
        rewind(file);
        data = malloc(size > 0 ? (size_t)size : 1);
        if (size < 0 || !data || fread(data, 1, (size_t)size, file) != (size_t)size) {
            free(data);
            data = NULL;
        }
        *ret_size = (size_t)size;
    }
    if (file)
        fclose(file);
    return data;
}

static bool replay_file(const char *folder, const char *name)
{
    char path[PATH_SIZE];
    size_t size = 0;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    uint8_t *data = read_whole(path, &size);
    bool was_read = data != NULL;
    if (was_read)
        LLVMFuzzerTestOneInput(data, size);
    free(data);
    printf("%s %u - %s: %s\n", was_read ? "ok" : "not ok", ++files_done, program_invocation_short_name, name);
    fflush(stdout);
    return was_read;
}

static bool replay_folder(const char *folder)
{
    struct dirent **entries;
    bool whole = true;
    int count = scandir(folder, &entries, is_visible, alphasort);

    if (count <= 0) {
        printf("Bail out! %s: %s\n", folder, count ? strerror(errno) : "there is no file");
        return false;
    }
    for (int i = 0; i < count; i++) {
        whole = replay_file(folder, entries[i]->d_name) && whole;
        free(entries[i]);
    }
    free(entries);
    return whole;
}

int main(int argc, char **argv)
{
    static const char prefix[] = "fuzz_";
    const char *source = getenv("TANDEM_SRCDIR");
    const char *name = program_invocation_short_name;
    char folder[PATH_SIZE];
    bool whole = true;

    for (int i = 1; i < argc; i++)
        whole = replay_folder(argv[i]) && whole;
    if (argc == 1) {
        assert(strncmp(name, prefix, strlen(prefix)) == 0);
        snprintf(folder, sizeof folder, "%s/check/fuzz/corpus/%s", source ? source : ".", name + strlen(prefix));
        whole = replay_folder(folder);
    }
    printf("1..%u\n", files_done);
    return whole ? EXIT_SUCCESS : EXIT_FAILURE;
}
