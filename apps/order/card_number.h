/*
 * Card numbers, which are to come nowhere near: telling that a text has one. Pure: any thread.
 */
#ifndef TANDEM_ORDER_CARD_NUMBER_H
#define TANDEM_ORDER_CARD_NUMBER_H

#include "base/text.h"

/** Whether there are 13 to 19 digits in it, whatever stands before, behind and, but for letters, between them, that
 *  begin like a card's and whose check digit is right (ISO/IEC 7812-1, Luhn). A token's letters tell it from that. */
bool has_card_number(struct text text);

#endif
