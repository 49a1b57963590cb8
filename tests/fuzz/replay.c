/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over its corpus, one TAP line per file: fuzz_NAME reads
 * tests/fuzz/corpus/NAME, or the files and directories given as arguments.
 * Each input is also run cut short after every byte and with every bit
 * turned; of long ones, at so many places evenly apart.
 */
#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"
#include "tests/lib/long.h"

#define INPUT_MAX ((size_t)1 << 20)

#define PLACES 256
__attribute__((weak)) size_t fuzz_places = PLACES; /* no constant: inlined */
static int count;

static void run_copy(const uint8_t *data, size_t n, size_t turned)
{
    uint8_t *copy = malloc(n ? n : 1); /* so that overruns show */
    if (!copy)
        abort();
    memcpy(copy, data, n);
    if (turned < n * 8)
        copy[turned / 8] ^= (uint8_t)(1u << turned % 8);
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

/* how far apart, so that at most max places are met; odd, so that all the
 * eight bits have their turn */
static size_t stride(size_t places, size_t max)
{
    return (places / max + (places >= max)) | 1;
}

static void run(const uint8_t *data, size_t n)
{
    const size_t places = long_run() ? PLACES : fuzz_places;
    run_copy(data, n, SIZE_MAX);
    for (size_t cut = 0; cut < n; cut += stride(n, places))
        run_copy(data, cut, SIZE_MAX);
    for (size_t bit = 0; bit < n * 8; bit += stride(n * 8, 2 * places))
        run_copy(data, n, bit);
}

static void run_file(const char *path)
{
    uint8_t *data = malloc(INPUT_MAX);
    FILE *f = fopen(path, "rb");
    if (!data || !f) {
        printf("not ok %d - %s cannot be read\n", ++count, path);
    } else {
        run(data, fread(data, 1, INPUT_MAX, f));
        printf("ok %d - %s\n", ++count, strrchr(path, '/') + 1);
    }
    fflush(stdout);
    if (f)
        fclose(f);
    free(data);
}

static void run_path(const char *path)
{
    struct stat st;
    struct dirent **names = NULL;
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
        run_file(path);
        return;
    }
    int n = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char file[PATH_MAX];
        snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.')
            run_file(file);
        free(names[i]);
    }
    free(names);
}

int main(int argc, char **argv)
{
    char path[PATH_MAX];
    const char *top = getenv("top_srcdir");
    const char *name = strstr(argv[0], "fuzz_");
    while (name && strstr(name + 1, "fuzz_"))
        name = strstr(name + 1, "fuzz_");
    snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", top ? top : "..",
             name ? name + strlen("fuzz_") : "");
    if (argc < 2)
        run_path(path);
    for (int i = 1; i < argc; i++)
        run_path(argv[i]);
    printf("1..%d\n", count);
    return count ? 0 : 1;
}
