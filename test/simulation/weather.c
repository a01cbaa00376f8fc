/* weather.c - see weather.h.
 *
 * Half of the worlds have everything, as evenly as it comes. What takes two rare events of certain
 * kinds, one soon after the other, hardly ever happens there: each of them has to be drawn among a
 * dozen. So the other worlds have few kinds of trouble, and these often: some kinds at random, or
 * those that belong together. A commit in doubt, then a stray; a commit in doubt, then a rival
 * before its fence; a commit in doubt, then a coordinator that has lost sight of it; a tick in
 * doubt; an old file after days, or of another beginning.
 */
#include "simulation/weather.h"

#include "simulation/world.h"

enum spell {
    SPELL_ANY,
    SPELL_DOUBTS,
    SPELL_TAKEOVERS,
    SPELL_OLD_ANSWERS,
    SPELL_TICKS,
    SPELL_OLD_FILES,
    SPELLS
};

/* One to three kinds. */
static unsigned some_kinds(struct dice *dice)
{
    unsigned kinds = 0;
    for (int64_t left = dice_between(dice, 1, 3); left > 0; left--) {
        unsigned kind = 0;
        while ((kind & TROUBLE_ALL) == 0) {
            kind = 1U << dice_below(dice, 17);
        }
        kinds |= kind;
    }
    return kinds;
}

static struct weather everything(struct dice *dice)
{
    static const uint64_t every[] = {0, 15, 40, 120, 400};
    uint64_t fault_every = every[dice_below(dice, sizeof every / sizeof *every)];
    return (struct weather){
        .kinds = TROUBLE_ALL | TROUBLE_SQLITE,
        .fault_every = fault_every,
        .ends_every = (fault_every + 3) / 4,
        .rivals = dice_once_in(dice, 3),
        .faults = (int)dice_between(dice, 1, 15),
        .disturbances = (int)dice_between(dice, 0, 12),
        .long_times_every = 25,
    };
}

static struct weather spell_of(struct dice *dice, enum spell spell)
{
    struct weather weather = {
        .fault_every = (uint64_t)dice_between(dice, 4, 40),
        .ends_every = (uint64_t)dice_between(dice, 2, 6),
        .faults = (int)dice_between(dice, 5, 25),
        .disturbances = (int)dice_between(dice, 0, 12),
        .long_times_every = 25,
    };
    switch (spell) {
    case SPELL_ANY:
        weather.kinds = some_kinds(dice);
        weather.rivals = (weather.kinds & TROUBLE_RIVALS) != 0;
        break;
    case SPELL_DOUBTS:
        weather.kinds = TROUBLE_REQUESTS | TROUBLE_FAILURES;
        weather.fault_every *= dice_below(dice, 2);
        break;
    case SPELL_TAKEOVERS:
        weather.kinds = TROUBLE_REQUESTS | TROUBLE_RIVALS;
        weather.rivals = weather.fences = true;
        weather.fault_every = 0;
        break;
    case SPELL_OLD_ANSWERS:
        weather.kinds = TROUBLE_REQUESTS | TROUBLE_CRASH | TROUBLE_COORDINATOR;
        weather.fault_every = 0;
        break;
    case SPELL_TICKS:
        weather.kinds = TROUBLE_REQUESTS;
        weather.hasty = true;
        weather.fault_every = 0;
        weather.long_times_every = 4;
        break;
    case SPELL_OLD_FILES:
        weather.kinds = TROUBLE_STATE | TROUBLE_DAYS | TROUBLE_TOPICS;
        weather.disturbances = (int)dice_between(dice, 6, 12);
        break;
    case SPELLS:
        break;
    }
    return weather;
}

struct weather weather_draw(struct dice *dice, unsigned troubles)
{
    struct weather weather = dice_once_in(dice, 2)
                                 ? everything(dice)
                                 : spell_of(dice, (enum spell)dice_below(dice, SPELLS));
    weather.kinds &= troubles;
    weather.rivals = weather.rivals && (troubles & TROUBLE_RIVALS) != 0;
    return weather;
}
