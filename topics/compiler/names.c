/* names.c - see names.h. The lists are sorted by nothing: they are short and read once per name. */
#include "names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *const c_words[] = {
    /* keywords, C11 and C23, and GNU's */
    "alignas", "alignof", "asm", "auto", "bool", "break", "case", "char", "const", "constexpr",
    "continue", "default", "do", "double", "else", "enum", "extern", "false", "float", "for",
    "goto", "if", "inline", "int", "long", "nullptr", "register", "restrict", "return", "short",
    "signed", "sizeof", "static", "static_assert", "struct", "switch", "thread_local", "true",
    "typedef", "typeof", "typeof_unqual", "union", "unsigned", "void", "volatile", "while",
    /* macros, in some mode of some compiler */
    "assert", "complex", "errno", "imaginary", "linux", "major", "makedev", "minor", "noreturn",
    "offsetof", "stderr", "stdin", "stdout", "unix",
    /* tags of system headers */
    "dirent", "iovec", "itimerval", "lconv", "msghdr", "option", "passwd", "pollfd", "rlimit",
    "rusage", "sigaction", "sockaddr", "stat", "termios", "timespec", "timeval", "timezone", "tm"};

static char lower(char letter)
{
    return (char)tolower((unsigned char)letter);
}

const char *snake_case(struct arena *arena, const char *name)
{
    size_t length = strlen(name), used = 0;
    char *snake = arena_alloc(arena, 2 * length + 1);
    for (size_t i = 0; i < length; i++) {
        bool is_upper = isupper((unsigned char)name[i]) != 0;
        bool after_upper = i > 0 && isupper((unsigned char)name[i - 1]) != 0;
        bool after_word = i > 0 && isalnum((unsigned char)name[i - 1]) != 0;
        bool before_lower = islower((unsigned char)name[i + 1]) != 0;
        if (is_upper && after_word && (!after_upper || before_lower)) {
            snake[used++] = '_';
        }
        snake[used++] = isalnum((unsigned char)name[i]) != 0 ? lower(name[i]) : '_';
    }
    return snake;
}

const char *upper_case(struct arena *arena, const char *name)
{
    char *upper = arena_strndup(arena, name, strlen(name));
    for (char *letter = upper; *letter != '\0'; letter++) {
        *letter = (char)toupper((unsigned char)*letter);
    }
    return upper;
}

const char *short_name(const char *full_name)
{
    const char *dot = strrchr(full_name, '.');
    return dot == NULL ? full_name : dot + 1;
}

bool is_lower_name(const char *name)
{
    if (islower((unsigned char)name[0]) == 0) {
        return false;
    }
    return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

bool is_taken_by_c(const char *name)
{
    for (size_t i = 0; i < sizeof(c_words) / sizeof(c_words[0]); i++) {
        if (strcmp(name, c_words[i]) == 0) {
            return true;
        }
    }
    return false;
}

enum outcome names_claim(struct names *names, struct arena *arena, enum name_space space,
                         const char *name, const char *owner, struct error *error)
{
    if (is_taken_by_c(name)) {
        return fail_exit(error, EXIT_DATA,
                         "%s: the C name `%s` is taken by C itself: choose another name", owner,
                         name);
    }
    if (strncmp(name, "weir_", 5) == 0) {
        return fail_exit(error, EXIT_DATA,
                         "%s: the C name `%s` belongs to the runtime: choose another name", owner,
                         name);
    }
    for (size_t i = 0; i < names->count; i++) {
        const struct claim *claim = &names->claims[i];
        if (claim->space == space && strcmp(claim->name, name) == 0) {
            return fail_exit(error, EXIT_DATA,
                             "%s: the C name `%s` is already that of %s: rename one", owner, name,
                             claim->owner);
        }
    }
    if (names->count == names->capacity) {
        names->capacity = names->capacity == 0 ? 256 : 2 * names->capacity;
        names->claims = xrealloc(names->claims, names->capacity * sizeof(*names->claims));
    }
    names->claims[names->count++] = (struct claim){
        .space = space,
        .name = arena_strndup(arena, name, strlen(name)),
        .owner = arena_strndup(arena, owner, strlen(owner)),
    };
    return OK;
}

void names_release(struct names *names)
{
    free(names->claims);
    *names = (struct names){0};
}
