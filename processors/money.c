/* money.c - the currency table and the arithmetic of money.h.
 *
 * The table has the active ISO 4217 currencies, five bytes each, in alphabetical order for a binary
 * search. Funds codes, precious metals and the codes for testing are left out on purpose: nobody
 * can pay with them.
 */
#include "money.h"

#include <stdlib.h>
#include <string.h>

static const char currencies[][5] = {
    "AED2", "AFN2", "ALL2", "AMD2", "ANG2", "AOA2", "ARS2", "AUD2", "AWG2", "AZN2", "BAM2", "BBD2",
    "BDT2", "BGN2", "BHD3", "BIF0", "BMD2", "BND2", "BOB2", "BRL2", "BSD2", "BTN2", "BWP2", "BYN2",
    "BZD2", "CAD2", "CDF2", "CHF2", "CLP0", "CNY2", "COP2", "CRC2", "CUP2", "CVE2", "CZK2", "DJF0",
    "DKK2", "DOP2", "DZD2", "EGP2", "ERN2", "ETB2", "EUR2", "FJD2", "FKP2", "GBP2", "GEL2", "GHS2",
    "GIP2", "GMD2", "GNF0", "GTQ2", "GYD2", "HKD2", "HNL2", "HTG2", "HUF2", "IDR2", "ILS2", "INR2",
    "IQD3", "IRR2", "ISK0", "JMD2", "JOD3", "JPY0", "KES2", "KGS2", "KHR2", "KMF0", "KPW2", "KRW0",
    "KWD3", "KYD2", "KZT2", "LAK2", "LBP2", "LKR2", "LRD2", "LSL2", "LYD3", "MAD2", "MDL2", "MGA2",
    "MKD2", "MMK2", "MNT2", "MOP2", "MRU2", "MUR2", "MVR2", "MWK2", "MXN2", "MYR2", "MZN2", "NAD2",
    "NGN2", "NIO2", "NOK2", "NPR2", "NZD2", "OMR3", "PAB2", "PEN2", "PGK2", "PHP2", "PKR2", "PLN2",
    "PYG0", "QAR2", "RON2", "RSD2", "RUB2", "RWF0", "SAR2", "SBD2", "SCR2", "SDG2", "SEK2", "SGD2",
    "SHP2", "SLE2", "SOS2", "SRD2", "SSP2", "STN2", "SVC2", "SYP2", "SZL2", "THB2", "TJS2", "TMT2",
    "TND3", "TOP2", "TRY2", "TTD2", "TWD2", "TZS2", "UAH2", "UGX0", "USD2", "UYU2", "UZS2", "VES2",
    "VND0", "VUV0", "WST2", "XAF0", "XCD2", "XCG2", "XOF0", "XPF0", "YER2", "ZAR2", "ZMW2",
};

static int by_code(const void *code, const void *entry)
{
    return memcmp(code, entry, 3);
}

int currency_decimals(const char *currency)
{
    if (strlen(currency) != 3) {
        return -1;
    }
    const char *found = bsearch(currency, currencies, sizeof currencies / sizeof *currencies,
                                sizeof *currencies, by_code);
    return found ? found[3] - '0' : -1;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Moves *text over its digits and appends them to the negative *value. Negative, because that side
 * of the range is the longer one. */
static bool take_digits(const char **text, int64_t *value)
{
    for (; is_digit(**text); (*text)++) {
        if (!money_multiply(*value, 10, value) || !money_add(value, '0' - **text)) {
            return false;
        }
    }
    return true;
}

enum money_error money_parse(const char *text, int decimals, int64_t *minor)
{
    bool negative = *text == '-';
    const char *whole = text + (negative ? 1 : 0);
    size_t whole_digits = strspn(whole, "0123456789");
    const char *fraction = whole + whole_digits;
    size_t fraction_digits = 0;
    if (*fraction == '.') {
        fraction++;
        fraction_digits = strspn(fraction, "0123456789");
        if (fraction_digits == 0) {
            return MONEY_SYNTAX;
        }
    }
    if (whole_digits == 0 || fraction[fraction_digits] != 0) {
        return MONEY_SYNTAX;
    }
    if (fraction_digits > (size_t)decimals) {
        return MONEY_DECIMALS;
    }
    int64_t value = 0;
    if (!take_digits(&whole, &value) || !take_digits(&fraction, &value)) {
        return MONEY_RANGE;
    }
    for (size_t missing = (size_t)decimals - fraction_digits; missing > 0; missing--) {
        if (!money_multiply(value, 10, &value)) {
            return MONEY_RANGE;
        }
    }
    if (!negative && value == INT64_MIN) {
        return MONEY_RANGE;
    }
    *minor = negative ? value : -value;
    return MONEY_OK;
}

const char *money_error_text(enum money_error error)
{
    switch (error) {
    case MONEY_OK:
        return "is fine";
    case MONEY_SYNTAX:
        return "is not a decimal number like \"12.50\"";
    case MONEY_DECIMALS:
        return "has more decimals than its currency";
    case MONEY_RANGE:
        return "is too large";
    }
    return "is wrong";
}

bool money_add(int64_t *sum, int64_t amount)
{
    int64_t result;
    if (__builtin_add_overflow(*sum, amount, &result)) {
        return false;
    }
    *sum = result;
    return true;
}

bool money_subtract(int64_t *sum, int64_t amount)
{
    int64_t result;
    if (__builtin_sub_overflow(*sum, amount, &result)) {
        return false;
    }
    *sum = result;
    return true;
}

bool money_multiply(int64_t a, int64_t b, int64_t *product)
{
    int64_t result;
    if (__builtin_mul_overflow(a, b, &result)) {
        return false;
    }
    *product = result;
    return true;
}
