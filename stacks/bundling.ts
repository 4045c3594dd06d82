/**
 * How SST bundles every function. What it imports by a call is a file that is read then. Names of functions and classes,
 * which nobody asks for, are not kept: that alone is 4 to 6 ms of the 30 to 60 that loading one computes.
 */
export const BUNDLING = { minify: true, splitting: true, esbuild: { keepNames: false } } as const
