/**
 * How SST bundles every function. What it imports by a call is a file that is read then. Names of functions and classes,
 * which nobody asks for, are not kept: keeping them is a twelfth of what the start of a function computes.
 */
export const BUNDLING = { minify: true, splitting: true, esbuild: { keepNames: false } } as const
