// Not a test of its own: core_test.ts sees to it that a file that throws as it loads is reported.
throw new Error("thrown at once, on purpose");
