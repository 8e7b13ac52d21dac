/* A FastCGI program that tells what it was sent, as JSON: what a front passes on is seen by putting this behind it. */
#include "config.h"

#include <fcgiapp.h>
#include <stdlib.h>
#include <string.h>

static void put_string(FCGX_Stream *out, const char *string, size_t length)
{
    FCGX_PutChar('"', out);
    for (size_t i = 0; i < length; i++) {
        if (string[i] == '"' || string[i] == '\\')
            FCGX_PutChar('\\', out);
        FCGX_PutChar(string[i], out);
    }
    FCGX_PutChar('"', out);
}

static long body_length(FCGX_Stream *in)
{
    char bytes[4096];
    long total = 0;
    for (int length; (length = FCGX_GetStr(bytes, sizeof bytes, in)) > 0;)
        total += length;
    return total;
}

int main(void)
{
    FCGX_Request request;
    if (FCGX_Init() != 0 || FCGX_InitRequest(&request, 0, 0) != 0)
        return EXIT_FAILURE;
    while (FCGX_Accept_r(&request) == 0) {
        request.keepConnection = 0;   /* one thread: a kept connection would keep out all others */
        FCGX_FPrintF(request.out, "Status: 200 OK\r\nContent-Type: application/json\r\n\r\n{\"BODY_LENGTH\":%d",
                     (int)body_length(request.in));
        for (char **variable = request.envp; *variable; variable++) {
            size_t name = strcspn(*variable, "=");
            FCGX_PutChar(',', request.out);
            put_string(request.out, *variable, name);
            FCGX_PutChar(':', request.out);
            put_string(request.out, *variable + name + 1, strlen(*variable + name + 1));
        }
        FCGX_PutChar('}', request.out);
        FCGX_Finish_r(&request);
    }
    return EXIT_SUCCESS;
}
