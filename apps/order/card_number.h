/*
 * Card numbers, which are to come nowhere near: telling that a text has one. Pure: any thread.
 */
#ifndef TANDEM_ORDER_CARD_NUMBER_H
#define TANDEM_ORDER_CARD_NUMBER_H

#include "base/text.h"

/** Whether the text has 13 to 19 digits together whose check digit is right (ISO/IEC 7812-1, Luhn), or is such digits
 *  with spaces, dashes, dots and the like between them. */
bool has_card_number(struct text text);

#endif
