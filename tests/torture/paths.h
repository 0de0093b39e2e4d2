/* Where the file of a call lies, for what is preloaded between a process and its disk. */
#ifndef PATHS_H
#define PATHS_H
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The absolute path of a name from an open folder (AT_FDCWD: where the process is), or of an open
 * file, where the name is NULL; no slash at its end. 0 where it cannot be told. */
static int path_of(int from, const char *name, char path[PATH_MAX])
{
    char link[64], base[PATH_MAX];
    if (name && name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
    } else {
        if (from == AT_FDCWD)
            snprintf(link, sizeof link, "/proc/self/cwd");
        else
            snprintf(link, sizeof link, "/proc/self/fd/%d", from);
        ssize_t length = readlink(link, base, sizeof base - 1);
        if (length < 0)
            return 0;
        base[length] = 0;
        if (snprintf(path, PATH_MAX, name ? "%s/%s" : "%s", base, name) >= PATH_MAX)
            return 0;
    }
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        path[--length] = 0;
    return 1;
}

/* Whether a path is a folder, which ends without a slash, or lies below it. */
static int lies_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
}
#endif
