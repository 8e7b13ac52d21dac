/*
 * A trace as a waterfall in the terminal: a line a span, indented under its parent, with its bar in the time of all.
 */
#ifndef TANDEM_APPS_CTL_TRACE_DRAW_H
#define TANDEM_APPS_CTL_TRACE_DRAW_H

#include <stdio.h>

#include "apps/ctl/trace_tree.h"

struct trace_style {
    unsigned columns;
    bool coloured, utf8;
};

/** As the environment and the terminal have it: COLUMNS, NO_COLOR, the locale. */
struct trace_style trace_style_of(FILE *out);

void trace_draw(FILE *out, const struct trace_style *style, struct text trace_id, const struct trace_tree *tree);

#endif
