#include "config.h"

#include "app/metrics.h"

enum err metrics_page(struct call *call)
{
    call->exchange->response.status = 200;
    return http_header_add(&call->exchange->request, &call->exchange->response, "Content-Type", TEXT("text/plain; version=0.0.4"));
}
