#include "config.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "apps/ctl/trace_draw.h"
#include "base/buf.h"
#include "base/clock.h"

enum {
    COLUMNS_LEAST = 60, COLUMNS_MOST = 400, COLUMNS_DEFAULT = 120,
    SERVICE_COLUMNS = 10, TIMES_COLUMNS = 26,      /* " 1234.567 ms 1234.567 ms  " */
    BAR_LEAST = 12, NAME_LEAST = 24, LABEL_SIZE = 256, DEPTH_MAX = 64,
};

static const struct glyphs {
    const char *branch, *last, *line, *none, *bar, *gap, *wait, *cut;
} fine = {"├ ", "└ ", "│ ", "  ", "█", "·", "· ", "…"}, plain = {"|-", "`-", "| ", "  ", "#", ".", "- ", "~"};

/* Of services. */
static const char *const palette[] = {"\033[36m", "\033[35m", "\033[33m", "\033[32m", "\033[34m"};

struct drawing {
    FILE *out;
    const struct trace_style *style;
    const struct glyphs *glyphs;
    const struct trace_tree *tree;
    unsigned name_columns, bar_columns;
    bool more[DEPTH_MAX];                  /* at each depth: whether a sibling comes behind */
};

struct trace_style trace_style_of(FILE *out)
{
    struct trace_style style = {.columns = COLUMNS_DEFAULT};
    const char *given = getenv("COLUMNS"), *no_colour = getenv("NO_COLOR");
    struct winsize window;
    int64_t columns;
    bool is_terminal = isatty(fileno(out));
    if (is_terminal && ioctl(fileno(out), TIOCGWINSZ, &window) == 0 && window.ws_col > 0)
        style.columns = window.ws_col;
    if (given && text_to_int(text_of(given), &columns) == ERR_NONE && columns > 0)
        style.columns = columns < COLUMNS_MOST ? (unsigned)columns : COLUMNS_MOST;
    if (style.columns < COLUMNS_LEAST)
        style.columns = COLUMNS_LEAST;
    setlocale(LC_CTYPE, "");
    style.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    style.coloured = is_terminal && !(no_colour && *no_colour);
    return style;
}

/* ---- what a span is called ---- */

/* Nothing of a name moves the cursor. */
static void add_clean(struct buf *out, struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.at[i];
        buf_add_char(out, c < 0x20 || c == 0x7f ? '?' : text.at[i]);
    }
}

static void add_note(struct buf *out, const char *before, struct text value, const char *after)
{
    if (!value.at)
        return;
    buf_add_string(out, before);
    add_clean(out, value);
    buf_add_string(out, after);
}

static struct text unless_one(struct text number)
{
    return text_equal_string(number, "1") ? TEXT_NONE : number;
}

/* "POST /v1/orders 201", "transaction (batch of 3)", "charge approved". */
static void write_label(const struct traced_span *span, struct buf *out)
{
    const struct traced_notes *notes = &span->notes;
    add_clean(out, span->name);
    add_note(out, " ", notes->template, "");
    add_note(out, " ", notes->status_code, "");
    add_note(out, " ", notes->outcome, "");
    add_note(out, " (batch of ", unless_one(notes->batch_size), ")");
    add_note(out, " (attempt ", unless_one(notes->attempts), ")");
    if (span->is_error)
        add_note(out, " ! ", notes->error_type.at ? notes->error_type : TEXT("error"), "");
}

static unsigned columns_of(struct text text)
{
    return text_is_utf8(text) ? (unsigned)text_utf8_count(text) : (unsigned)text.length;
}

/* The first so many columns. */
static struct text cut_to(struct text text, unsigned columns)
{
    while (text.length > 0 && columns_of(text) > columns) {
        text.length--;
        while (text.length > 0 && ((unsigned char)text.at[text.length] & 0xc0) == 0x80)
            text.length--;
    }
    return text;
}

static unsigned depth_of(const struct traced_span *span)
{
    unsigned depth = 0;
    for (const struct traced_span *above = span->up; above; above = above->up)
        depth++;
    return depth < DEPTH_MAX ? depth : DEPTH_MAX - 1;
}

/* ---- how wide ---- */

static unsigned widest(const struct traced_span *list)
{
    unsigned most = 0;
    for (const struct traced_span *span = list; span; span = span->next_sibling) {
        struct buf label;
        buf_init(&label, LABEL_SIZE * 4);
        write_label(span, &label);
        unsigned columns = 2 * depth_of(span) + columns_of(buf_text(&label)), below = widest(span->first_child);
        buf_fini(&label);
        most = columns > most ? columns : most;
        most = below > most ? below : most;
    }
    return most;
}

static void share_out(struct drawing *drawing)
{
    unsigned fixed = SERVICE_COLUMNS + 1 + TIMES_COLUMNS, left = drawing->style->columns - fixed;
    unsigned wanted = widest(drawing->tree->roots);
    unsigned most = left > NAME_LEAST + BAR_LEAST ? left - BAR_LEAST : left;
    wanted = wanted > NAME_LEAST ? wanted : NAME_LEAST;
    drawing->name_columns = wanted < most ? wanted : most;
    drawing->bar_columns = left - drawing->name_columns;
}

/* ---- a line ---- */

static void paint(const struct drawing *drawing, const char *escape)
{
    if (drawing->style->coloured)
        fputs(escape, drawing->out);
}

static const char *colour_of(struct text service)
{
    unsigned sum = 0;
    for (size_t i = 0; i < service.length; i++)
        sum = sum * 31 + (unsigned char)service.at[i];
    return palette[sum % (sizeof palette / sizeof palette[0])];
}

static void pad(const struct drawing *drawing, unsigned used, unsigned columns)
{
    for (; used < columns; used++)
        fputc(' ', drawing->out);
}

/* The lines of the tree that lead to a depth; those of a wait go on to its span. */
static unsigned draw_branches(const struct drawing *drawing, unsigned depth, bool is_span)
{
    const struct glyphs *glyphs = drawing->glyphs;
    for (unsigned i = 1; i < depth; i++)
        fputs(drawing->more[i] ? glyphs->line : glyphs->none, drawing->out);
    if (depth > 0 && is_span)
        fputs(drawing->more[depth] ? glyphs->branch : glyphs->last, drawing->out);
    else if (depth > 0)
        fputs(glyphs->line, drawing->out);
    return 2 * depth;
}

static void draw_text(const struct drawing *drawing, struct text text, unsigned used)
{
    unsigned left = drawing->name_columns > used ? drawing->name_columns - used : 0;
    if (columns_of(text) > left) {
        text = cut_to(text, left > 0 ? left - 1 : 0);
        fprintf(drawing->out, "%.*s%s", TEXT_ARGS(text), left > 0 ? drawing->glyphs->cut : "");
        return;
    }
    fprintf(drawing->out, "%.*s", TEXT_ARGS(text));
    pad(drawing, used + columns_of(text), drawing->name_columns);
}

static void draw_bar(const struct drawing *drawing, int64_t start_ns, int64_t end_ns, const char *glyph)
{
    const struct trace_tree *tree = drawing->tree;
    double whole = (double)(tree->end_ns - tree->start_ns), columns = drawing->bar_columns;
    if (whole <= 0 || drawing->bar_columns == 0)
        return;
    unsigned from = (unsigned)((double)(start_ns - tree->start_ns) / whole * columns);
    unsigned to = (unsigned)((double)(end_ns - tree->start_ns) / whole * columns + 0.5);
    from = from < drawing->bar_columns ? from : drawing->bar_columns - 1;
    to = to > from ? to : from + 1;
    pad(drawing, 0, from);
    for (; from < to; from++)
        fputs(glyph, drawing->out);
}

static double milliseconds(int64_t ns)
{
    return (double)ns / NS_PER_MS;
}

static void draw_span(const struct drawing *drawing, const struct traced_span *span, unsigned depth)
{
    struct buf label;
    buf_init(&label, LABEL_SIZE * 4);
    write_label(span, &label);
    const char *colour = span->is_error ? "\033[31m" : colour_of(span->service);
    paint(drawing, colour_of(span->service));
    fprintf(drawing->out, "%-*.*s ", SERVICE_COLUMNS, (int)(span->service.length < SERVICE_COLUMNS
                                                                ? span->service.length : SERVICE_COLUMNS),
            span->service.at);
    paint(drawing, "\033[0m");
    unsigned used = draw_branches(drawing, depth, true);
    if (span->is_error)
        paint(drawing, colour);
    draw_text(drawing, buf_text(&label), used);
    if (span->is_error)
        paint(drawing, "\033[0m");
    fprintf(drawing->out, " %8.3f ms %8.3f ms  ", milliseconds(span->start_ns - drawing->tree->start_ns),
            milliseconds(span->end_ns - span->start_ns));
    paint(drawing, colour);
    draw_bar(drawing, span->start_ns, span->end_ns, drawing->glyphs->bar);
    paint(drawing, "\033[0m");
    fputc('\n', drawing->out);
    buf_fini(&label);
}

static void draw_wait(const struct drawing *drawing, const struct traced_span *span, unsigned depth, int64_t wait_ns)
{
    char said[LABEL_SIZE];
    snprintf(said, sizeof said, "%swaited %.*f ms", drawing->glyphs->wait, wait_ns < NS_PER_MS / 10 ? 3 : 1,
             milliseconds(wait_ns));
    pad(drawing, 0, SERVICE_COLUMNS + 1);
    unsigned used = draw_branches(drawing, depth, false);
    paint(drawing, "\033[2m");
    draw_text(drawing, text_of(said), used);
    pad(drawing, 0, TIMES_COLUMNS);
    draw_bar(drawing, span->start_ns - wait_ns, span->start_ns, drawing->glyphs->gap);
    paint(drawing, "\033[0m");
    fputc('\n', drawing->out);
}

static void draw_message(const struct drawing *drawing, const struct traced_span *span, unsigned depth)
{
    struct buf message;
    if (!span->is_error || !span->message.at)
        return;
    buf_init(&message, LABEL_SIZE * 4);
    add_clean(&message, span->message);
    pad(drawing, 0, SERVICE_COLUMNS + 1 + 2 * depth + 2);
    paint(drawing, "\033[31m");
    fprintf(drawing->out, "%.*s\n", TEXT_ARGS(buf_text(&message)));
    paint(drawing, "\033[0m");
    buf_fini(&message);
}

/* ---- the tree ---- */

static void draw_list(struct drawing *drawing, const struct traced_span *list)
{
    for (const struct traced_span *span = list; span; span = span->next_sibling) {
        unsigned depth = depth_of(span);
        int64_t wait_ns = trace_tree_wait_ns(span);
        drawing->more[depth] = span->next_sibling != NULL;
        if (wait_ns > 0)
            draw_wait(drawing, span, depth, wait_ns);
        draw_span(drawing, span, depth);
        draw_message(drawing, span, depth);
        draw_list(drawing, span->first_child);
    }
}

static void draw_heading(const struct drawing *drawing, struct text trace_id)
{
    const struct trace_tree *tree = drawing->tree;
    char start[CLOCK_RFC3339_SIZE];
    fprintf(drawing->out, "trace %.*s  %s  %.3f ms  %zu span%s of %zu service%s", TEXT_ARGS(trace_id),
            clock_rfc3339(tree->start_ns / (NS_PER_S / US_PER_S), start), milliseconds(tree->end_ns - tree->start_ns),
            tree->span_count, tree->span_count == 1 ? "" : "s", tree->service_count,
            tree->service_count == 1 ? "" : "s");
    if (tree->error_count > 0) {
        paint(drawing, "\033[31m");
        fprintf(drawing->out, "  %zu in error", tree->error_count);
        paint(drawing, "\033[0m");
    }
    fprintf(drawing->out, "\n\n%-*s %-*s %11s %11s\n", SERVICE_COLUMNS, "SERVICE", (int)drawing->name_columns, "SPAN",
            "AT", "TOOK");
}

void trace_draw(FILE *out, const struct trace_style *style, struct text trace_id, const struct trace_tree *tree)
{
    struct drawing drawing = {.out = out, .style = style, .glyphs = style->utf8 ? &fine : &plain, .tree = tree};
    share_out(&drawing);
    draw_heading(&drawing, trace_id);
    draw_list(&drawing, tree->roots);
}
