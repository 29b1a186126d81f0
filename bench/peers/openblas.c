/*
 * The product of two square matrices by OpenBLAS; prints what measure_engine.ts prints.
 *
 *     cc -O2 openblas.c -lopenblas -lm -o openblas
 *     OPENBLAS_NUM_THREADS=2 ./openblas TASK FOLDER
 */
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WARMUP_RUNS = 2, RUNS = 15 };

static double now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return 1e3 * (double)time.tv_sec + 1e-6 * (double)time.tv_nsec;
}

/* A whole file of `length` numbers of `bytes` bytes. */
static void *read_numbers(const char *folder, const char *name, size_t length, size_t bytes) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  void *numbers = malloc(length * bytes);
  if (file == NULL || numbers == NULL || fread(numbers, bytes, length, file) != length) {
    fprintf(stderr, "Cannot read %s: it must hold %zu numbers\n", path, length);
    exit(1);
  }
  fclose(file);
  return numbers;
}

int main(int argc, char **argv) {
  if (argc < 3 || strncmp(argv[1], "matmul", 6) != 0) {
    fprintf(stderr, "Cannot run: the task must be a matmul\n");
    return 2;
  }
  const int n = atoi(argv[1] + 6);
  const size_t length = (size_t)n * (size_t)n;
  const float *a = read_numbers(argv[2], "a.f32", length, sizeof(float));
  const float *b = read_numbers(argv[2], "b.f32", length, sizeof(float));
  const double *expected = read_numbers(argv[2], "c.f64", length, sizeof(double));
  float *c = malloc(length * sizeof(float));
  double times[RUNS];
  double first = 0, error = 0, largest = 0;
  for (int run = -1 - WARMUP_RUNS; run < RUNS; run++) {
    const double begin = now_ms();
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, a, n, b, n, 0, c, n);
    const double ms = now_ms() - begin;
    if (run >= 0) times[run] = ms;
    if (run != -1 - WARMUP_RUNS) continue;
    first = ms;
    for (size_t i = 0; i < length; i++) {
      const double distance = fabs(expected[i] - (double)c[i]);
      if (!(distance <= error)) error = isnan(distance) ? 1e30 : distance;
      largest = fmax(largest, fabs(expected[i]));
    }
  }
  printf("{\"error\":%.6e,\"firstMs\":%.4f,\"timesMs\":[", error / largest, first);
  for (int run = 0; run < RUNS; run++) printf("%s%.4f", run > 0 ? "," : "", times[run]);
  printf("]}\n");
  return 0;
}
