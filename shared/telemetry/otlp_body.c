#include "config.h"

#include <string.h>
#include <zlib.h>

#include "telemetry/otlp_body.h"

/* Spans repeat themselves: the fastest level makes a sixth of them, and the best not much less. A window of 8 KiB is
 * enough for that, and takes 48 KiB of memory instead of 256. The 16 asks for gzip's own head and foot. */
enum { LEVEL = Z_BEST_SPEED, WINDOW_BITS = 13 + 16, MEMORY_LEVEL = 6, HEAD_MAX_BYTES = 1024 * 1024 };

/* Where the pieces go: as they are, or through zlib. */
struct writer {
    struct buf *out;
    z_stream *stream;        /* NULL: as they are */
};

/* Whatever zlib has now, into room that is there: deflateBound() was reserved. */
static void deflate_piece(struct writer *writer, struct text piece, int flush)
{
    z_stream *stream = writer->stream;
    stream->next_in = (Bytef *)(uintptr_t)piece.at;   /* zlib does not write there */
    stream->avail_in = (uInt)piece.length;
    int code = deflate(stream, flush);
    if (code != (flush == Z_FINISH ? Z_STREAM_END : Z_OK) || stream->avail_in > 0)
        writer->out->failed = true;
}

static void add(struct writer *writer, struct text piece)
{
    if (piece.length == 0)
        return;
    if (writer->stream)
        deflate_piece(writer, piece, Z_NO_FLUSH);
    else
        buf_add_text(writer->out, piece);
}

static size_t separators_bytes(const struct otlp_encoding *encoding, const struct otlp_batch *batch)
{
    size_t records = 0;
    for (const struct otlp_record *record = batch->records; record; record = record->next)
        records++;
    return records > 1 ? (records - 1) * encoding->separator.length : 0;
}

static void add_all(struct writer *writer, const struct otlp_encoding *encoding, struct text head,
                    const struct otlp_batch *batch)
{
    add(writer, head);
    for (const struct otlp_record *record = batch->records; record; record = record->next) {
        add(writer, (struct text){record->encoded, record->length});
        if (record->next)
            add(writer, encoding->separator);
    }
    add(writer, encoding->tail);
}

static void add_compressed(const struct otlp_encoding *encoding, struct text head, const struct otlp_batch *batch,
                           size_t length, struct buf *out)
{
    z_stream stream;
    struct writer writer = {out, &stream};
    memset(&stream, 0, sizeof stream);
    if (deflateInit2(&stream, LEVEL, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        out->failed = true;
        return;
    }
    size_t room = deflateBound(&stream, length);
    stream.next_out = buf_reserve(out, room);
    stream.avail_out = (uInt)room;
    if (stream.next_out) {
        add_all(&writer, encoding, head, batch);
        deflate_piece(&writer, TEXT(""), Z_FINISH);
        buf_commit(out, room - stream.avail_out);
    }
    deflateEnd(&stream);
}

enum err otlp_body_write(const struct otlp_encoding *encoding, const struct otlp_resource *resource,
                         const struct otlp_batch *batch, bool gzip, struct buf *out)
{
    size_t spans_bytes = batch->length + separators_bytes(encoding, batch);
    struct buf head;
    buf_init(&head, HEAD_MAX_BYTES);
    encoding->write_head(resource, spans_bytes, &head);
    if (head.failed)
        out->failed = true;
    else if (gzip)
        add_compressed(encoding, buf_text(&head), batch, head.length + spans_bytes + encoding->tail.length, out);
    else
        add_all(&(struct writer){out, NULL}, encoding, buf_text(&head), batch);
    buf_fini(&head);
    return buf_check(out) ? err_because(ERR_MEMORY, "no memory for a request of %zu bytes", spans_bytes) : ERR_NONE;
}
