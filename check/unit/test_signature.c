/* Signatures in minisign's format: what it made is taken, what was altered is not, and it takes what is made here. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "conf/signature_make.h"

enum { OUT_MAX = 16384, PATH_SIZE = 256 };

/* Made by minisign 0.11: two keys without a password, one with; one file signed with the first, in both ways, and with
 * the second. */
static const char CONTENT[] = "log = { level = \"debug\"; };\n";
static const char KEY[] =
    "untrusted comment: minisign public key 3EC933E57820420A\n"
    "RWQKQiB45TPJPkDwew6h/zn2k+Oii2GcQIA6axEMIBL/csMXwBklOXkv\n";
static const char OTHER_KEY[] =
    "untrusted comment: minisign public key 12981690FFE8D906\n"
    "RWQG2ej/kBaYEo5CaLO1viezHfhB8grKy054Kew4V9uHWo4f+2n2on5o\n";
static const char SECRET[] =
    "untrusted comment: minisign encrypted secret key\n"
    "RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACkIgeOUzyT645FivjMvOMmAN6SAe"
    "eaRvGt7qYy94ehdMlT6TXd7EA0Dwew6h/zn2k+Oii2GcQIA6axEMIBL/csMXwBklOXkvAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAA=\n";
static const char SECRET_WITH_PASSWORD[] =
    "untrusted comment: minisign encrypted secret key\n"
    "RWRTY0IyahP0eN3IWqVsC+OWA33G7zHilojUl8DDlisWFwXGamgAAAACAAAAAAAAAEAAAAAA9mgsOBvwPgEkzHzzkXsV6fDbTmU9"
    "Hy1Kjyg8lVY5MyczpzyATsXgYcPVB6NMQ67IBKeh81qAGXTzDTwmc196yrXaETT1ALiaClFnpMXYTm6qd8NlGFdZgu9D+BJhXoYr"
    "lPaJRv2SQU4=\n";
static const char SIGNED[] =
    "untrusted comment: signature from minisign secret key\n"
    "RUQKQiB45TPJPvpj9xwSO6J4oDZRetp79U4PXk9sRppLoSv8Qx6nCRLUPapFz6ujmt+k0RfgqOtMRXZcyVZ08Z/i9rL6iA4kDAU=\n"
    "trusted comment: a vector\n"
    "34m0hsZY85G5VCx7yWEt9TL+Rj9+dINaY7K8s+sNCsFUjZWuiAfaApNeBQl3iSeQZrsZ/DfvX1C7M5eStJWxCQ==\n";
static const char SIGNED_LEGACY[] =
    "untrusted comment: signature from minisign secret key\n"
    "RWQKQiB45TPJPn1Grwvj3uveOnidrmschsNj9/gub2Y51YEVgStobadX9RZLjrvvmhgC8Fn0cwVYsBhQxswsuA41AOQi7gdpdQg=\n"
    "trusted comment: a legacy vector\n"
    "2UlPKK0sAX8YZwPaDWIHTOG6FkIcUcV+PgnTWKOyUICeDpG0Fy+yh5fcqLSzzE+6TvfRtakcJbgAMKOKN8PsAA==\n";
static const char SIGNED_BY_OTHER[] =
    "untrusted comment: signature from minisign secret key\n"
    "RUQG2ej/kBaYEnH1knlhn+9BT/vqyrdnuW5yg0PT6oTKYfVRC4wNFz9X62il+giSeLX+iMUe5zQM2mxS7EIP+66f06dcmcPh6wM=\n"
    "trusted comment: timestamp:1795459240\tfile:v.conf\thashed\n"
    "JUSYQBLXQ3wJWlQviR5pMEVLUngNkK8Iwm3TIKSi+u3F1dSMpNcEYwKuGnEhzohqUSIbW1pIHZVU3MF1ztXABg==\n";

static struct signature_key key_of(const char *content)
{
    struct signature_key key;
    CU_ASSERT_EQUAL_FATAL(signature_key_parse(text_of(content), &key), ERR_NONE);
    return key;
}

static enum err verify(struct text content, struct text signature)
{
    struct signature_key key = key_of(KEY);
    return signature_verify(&key, content, signature, NULL);
}

static void test_vectors(void)
{
    struct signature_key key = key_of(KEY);
    struct text comment;
    char id[SIGNATURE_ID_SIZE];
    CU_ASSERT_STRING_EQUAL(signature_id(key.id, id), "3EC933E57820420A");
    CU_ASSERT_EQUAL(signature_verify(&key, text_of(CONTENT), text_of(SIGNED), &comment), ERR_NONE);
    CU_ASSERT(text_equal_string(comment, "a vector"));
    CU_ASSERT_EQUAL(signature_verify(&key, text_of(CONTENT), text_of(SIGNED_LEGACY), &comment), ERR_NONE);
    CU_ASSERT(text_equal_string(comment, "a legacy vector"));
}

static void test_crlf(void)
{
    struct buf lines;
    buf_init(&lines, OUT_MAX);
    for (const char *at = SIGNED; *at; at++) {
        if (*at == '\n')
            buf_add_char(&lines, '\r');
        buf_add_char(&lines, *at);
    }
    CU_ASSERT_EQUAL(verify(text_of(CONTENT), buf_text(&lines)), ERR_NONE);
    buf_fini(&lines);
}

/* Each byte of the file, changed, taken away, and one more. */
static void test_altered_content(void)
{
    char content[sizeof CONTENT + 1];
    const char *const signatures[] = {SIGNED, SIGNED_LEGACY};
    for (size_t s = 0; s < 2; s++) {
        for (size_t i = 0; i < strlen(CONTENT); i++) {
            memcpy(content, CONTENT, sizeof CONTENT);
            content[i] ^= 1;
            CU_ASSERT_EQUAL(verify(text_of(content), text_of(signatures[s])), ERR_FORBIDDEN);
            CU_ASSERT_EQUAL(verify((struct text){CONTENT, i}, text_of(signatures[s])), ERR_FORBIDDEN);
        }
        memcpy(content, CONTENT, sizeof CONTENT);
        memcpy(content + strlen(CONTENT), "\n", 2);
        CU_ASSERT_EQUAL(verify(text_of(content), text_of(signatures[s])), ERR_FORBIDDEN);
        CU_ASSERT_EQUAL(verify(TEXT_NONE, text_of(signatures[s])), ERR_FORBIDDEN);
    }
}

/* Likewise of the signature; only the untrusted comment may be another. Other digits of base64 that stand for the same
 * bits are refused by the decoder. */
static void test_altered_signature(void)
{
    const char *const signatures[] = {SIGNED, SIGNED_LEGACY};
    char signature[sizeof SIGNED + sizeof SIGNED_LEGACY];
    for (size_t s = 0; s < 2; s++) {
        size_t length = strlen(signatures[s]);
        size_t untrusted_end = strcspn(signatures[s], "\n");
        for (size_t i = 0; i < length; i++) {
            memcpy(signature, signatures[s], length + 1);
            signature[i] ^= 1;
            bool is_comment = i >= strlen("untrusted comment: ") && i < untrusted_end;
            CU_ASSERT_EQUAL(verify(text_of(CONTENT), text_of(signature)) == ERR_NONE, is_comment);
        }
    }
}

static void test_cut_signature(void)
{
    for (size_t i = 0; i + 1 < strlen(SIGNED); i++)
        CU_ASSERT_NOT_EQUAL(verify(text_of(CONTENT), (struct text){SIGNED, i}), ERR_NONE);
    CU_ASSERT_EQUAL(verify(text_of(CONTENT), TEXT_NONE), ERR_INVALID);
    CU_ASSERT_EQUAL(verify(text_of(CONTENT), (struct text){SIGNED, strlen(SIGNED) - 1}), ERR_NONE);   /* a line's end */
    char longer[sizeof SIGNED + 8];
    snprintf(longer, sizeof longer, "%smore\n", SIGNED);
    CU_ASSERT_EQUAL(verify(text_of(CONTENT), text_of(longer)), ERR_INVALID);
}

static void test_other_key(void)
{
    struct signature_key mixed = key_of(OTHER_KEY), key = key_of(KEY);
    CU_ASSERT_EQUAL(verify(text_of(CONTENT), text_of(SIGNED_BY_OTHER)), ERR_FORBIDDEN);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "12981690FFE8D906"));
    CU_ASSERT_EQUAL(signature_verify(&mixed, text_of(CONTENT), text_of(SIGNED_BY_OTHER), NULL), ERR_NONE);
    memcpy(mixed.id, key.id, sizeof mixed.id);   /* another key under the same id */
    CU_ASSERT_EQUAL(signature_verify(&mixed, text_of(CONTENT), text_of(SIGNED), NULL), ERR_FORBIDDEN);
}

static void test_malformed_keys(void)
{
    struct signature_key key;
    static const char *const keys[] = {
        "", "\n", "untrusted comment: x\n", "untrusted comment: x\nRWQKQiB45TPJPkDwew6h\n",
        "RWQKQiB45TPJPkDwew6h/zn2k+Oii2GcQIA6axEMIBL/csMXwBklOXkv\n",
        "untrusted comment: x\nRUQKQiB45TPJPkDwew6h/zn2k+Oii2GcQIA6axEMIBL/csMXwBklOXkv\n",
        "untrusted comment: x\nRWQKQiB45TPJPkDwew6h/zn2k+Oii2GcQIA6axEMIBL/csMXwBklOXkv\nmore\n", SIGNED,
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        CU_ASSERT_EQUAL(signature_key_parse(text_of(keys[i]), &key), ERR_INVALID);
    CU_ASSERT_EQUAL(signature_key_read("/nowhere/key.pub", &key), ERR_IO);
}

static void test_secrets(void)
{
    struct signature_secret secret;
    char damaged[sizeof SECRET];
    CU_ASSERT_EQUAL(signature_secret_parse(text_of(SECRET), &secret), ERR_NONE);
    CU_ASSERT_EQUAL(signature_secret_parse(text_of(SECRET_WITH_PASSWORD), &secret), ERR_FORBIDDEN);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "password"));
    CU_ASSERT_EQUAL(signature_secret_parse(text_of(KEY), &secret), ERR_INVALID);
    CU_ASSERT_EQUAL(signature_secret_parse(TEXT(""), &secret), ERR_INVALID);
    memcpy(damaged, SECRET, sizeof SECRET);
    char *digit = strstr(damaged, "645FivjM");   /* in the key itself */
    CU_ASSERT_PTR_NOT_NULL_FATAL(digit);
    *digit = '7';
    CU_ASSERT_EQUAL(signature_secret_parse(text_of(damaged), &secret), ERR_INVALID);
}

/* Signs with what minisign made, and with a new pair that went through its files. */
static void test_signing(void)
{
    struct signature_key key;
    struct signature_secret secret;
    struct buf out, pair;
    buf_init(&out, OUT_MAX);
    buf_init(&pair, OUT_MAX);
    CU_ASSERT_EQUAL(signature_secret_parse(text_of(SECRET), &secret), ERR_NONE);
    CU_ASSERT_EQUAL(signature_sign(&secret, text_of(CONTENT), TEXT("two words"), &out), ERR_NONE);
    CU_ASSERT_EQUAL(verify(text_of(CONTENT), buf_text(&out)), ERR_NONE);
    CU_ASSERT_EQUAL(verify(TEXT("other"), buf_text(&out)), ERR_FORBIDDEN);

    signature_new(&key, &secret);
    signature_secret_write(&secret, &pair);
    CU_ASSERT_EQUAL(signature_secret_parse(buf_text(&pair), &secret), ERR_NONE);
    buf_reset(&pair, 0);
    signature_key_write(&key, &pair);
    key = key_of(buf_string(&pair));
    buf_reset(&out, 0);
    CU_ASSERT_EQUAL(signature_sign(&secret, TEXT_NONE, TEXT(""), &out), ERR_NONE);
    CU_ASSERT_EQUAL(signature_verify(&key, TEXT_NONE, buf_text(&out), NULL), ERR_NONE);
    CU_ASSERT_EQUAL(signature_sign(&secret, TEXT("x"), TEXT("two\nlines"), &out), ERR_INVALID);
    buf_fini(&out);
    buf_fini(&pair);
}

/* ---- with minisign itself, where it is installed ---- */

static struct {
    char log[PATH_SIZE], file[PATH_SIZE], signature[PATH_SIZE], public[PATH_SIZE], secret[PATH_SIZE];
} paths;

static void write_file(const char *path, struct text content)
{
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fwrite(content.at, 1, content.length, file), content.length);
    CU_ASSERT_EQUAL_FATAL(fclose(file), 0);
}

static bool has_minisign(void)
{
    const char *const version[] = {"minisign", "-v", NULL};
    return process_run(version, paths.log) == ERR_NONE;
}

static void test_minisign_verifies(void)
{
    const char *const command[] = {"minisign", "-V", "-m", paths.file, "-p", paths.public, NULL};
    struct signature_key key;
    struct signature_secret secret;
    struct buf out;
    buf_init(&out, OUT_MAX);
    signature_new(&key, &secret);
    signature_key_write(&key, &out);
    write_file(paths.public, buf_text(&out));
    buf_reset(&out, 0);
    CU_ASSERT_EQUAL(signature_sign(&secret, text_of(CONTENT), TEXT("hashed"), &out), ERR_NONE);
    write_file(paths.file, text_of(CONTENT));
    write_file(paths.signature, buf_text(&out));
    CU_ASSERT_EQUAL(process_run(command, paths.log), ERR_NONE);
    write_file(paths.file, TEXT("altered"));
    CU_ASSERT_NOT_EQUAL(process_run(command, paths.log), ERR_NONE);
    buf_fini(&out);
}

static void test_minisign_signs(void)
{
    struct signature_key key;
    struct signature_secret secret;
    struct buf out;
    char signature[OUT_MAX];
    buf_init(&out, OUT_MAX);
    signature_new(&key, &secret);
    signature_secret_write(&secret, &out);
    write_file(paths.secret, buf_text(&out));
    write_file(paths.file, text_of(CONTENT));
    const char *const commands[][8] = {
        {"minisign", "-S", "-m", paths.file, "-s", paths.secret, NULL},
        {"minisign", "-S", "-l", "-m", paths.file, "-s", paths.secret, NULL},
    };
    for (size_t i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(process_run(commands[i], paths.log), ERR_NONE);
        FILE *file = fopen(paths.signature, "r");
        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        size_t length = fread(signature, 1, sizeof signature, file);
        fclose(file);
        CU_ASSERT_EQUAL(signature_verify(&key, text_of(CONTENT), (struct text){signature, length}, NULL), ERR_NONE);
    }
    buf_fini(&out);
}

static void with_minisign(void (*run)(void))
{
    char *folder = process_folder();
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    snprintf(paths.log, sizeof paths.log, "%s/log", folder);
    snprintf(paths.file, sizeof paths.file, "%s/file", folder);
    snprintf(paths.signature, sizeof paths.signature, "%s/file.minisig", folder);
    snprintf(paths.public, sizeof paths.public, "%s/key.pub", folder);
    snprintf(paths.secret, sizeof paths.secret, "%s/key.sec", folder);
    if (has_minisign())
        run();
    else
        suite_skip("minisign is not installed");
    process_remove(folder);
    free(folder);
}

static void test_verified_by_minisign(void) { with_minisign(test_minisign_verifies); }
static void test_signed_by_minisign(void) { with_minisign(test_minisign_signs); }

static const struct suite_case cases[] = {
    {"what minisign signed is verified, prehashed and legacy", test_vectors},
    {"lines may end as on other systems", test_crlf},
    {"a file that was altered in any byte is refused", test_altered_content},
    {"a signature that was altered in any byte is refused", test_altered_signature},
    {"a signature that is cut off anywhere is refused", test_cut_signature},
    {"another key's signature is refused, and told by its id", test_other_key},
    {"what is no public key is refused", test_malformed_keys},
    {"secret keys are read; with a password, damaged or none they are refused", test_secrets},
    {"what is signed here is verified here", test_signing},
    {"what is signed here is verified by minisign", test_verified_by_minisign},
    {"what minisign signs with a key made here is verified", test_signed_by_minisign},
};

int main(void)
{
    return suite_main("signature", cases, sizeof cases / sizeof cases[0]);
}
