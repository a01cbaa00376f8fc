/* money.h - exact money: decimal text of major units to minor units, and arithmetic that cannot
 * overflow unseen.
 *
 * An amount is an int64_t of minor units beside its ISO 4217 currency. Text with more decimals than
 * the currency has is refused, not rounded: a ledger must balance to the last unit.
 */
#ifndef PROCESSORS_MONEY_H
#define PROCESSORS_MONEY_H

#include <stdbool.h>
#include <stdint.h>

enum money_error {
    MONEY_OK,
    MONEY_SYNTAX,   /* not [-]digits[.digits] */
    MONEY_DECIMALS, /* more decimals than the currency has */
    MONEY_RANGE,    /* does not fit in 64 bits */
};

/* How many decimals the currency's major unit has: 0 for JPY, 2 for EUR, 3 for KWD. -1: not a
 * currency that a shop may use (unknown, withdrawn, a metal or a test code). */
int currency_decimals(const char *currency);

/* "12.5" with 2 decimals becomes 1250. `minor` is left alone unless the answer is MONEY_OK. */
enum money_error money_parse(const char *text, int decimals, int64_t *minor);

/* What is wrong, for a sentence that begins with the field's name: "is not a decimal number". */
const char *money_error_text(enum money_error error);

/* *sum += amount, *sum -= amount, *product = a * b. false on overflow, and the result is left
 * alone. */
bool money_add(int64_t *sum, int64_t amount);
bool money_subtract(int64_t *sum, int64_t amount);
bool money_multiply(int64_t a, int64_t b, int64_t *product);

#endif
