/// What `build.mjs` and `server.mjs` go by.
export default {
  // Where git, and tests that read the tree, look for nothing.
  distDir: "node_modules/.next",
  // It imports `next/server`, which Node.js does not find without the ending: bundled, it does not have to. The pages
  // router bundles no packages by itself.
  transpilePackages: ["next-auth-5"],
  experimental: {
    // Threads end with the process, in whatever way that ends.
    cpus: 1,
    workerThreads: true,
    // What makes the result small, or a second build quick, takes a third of the time.
    turbopackFileSystemCacheForBuild: false,
    turbopackMinify: false,
    turbopackScopeHoisting: false,
    turbopackSourceMaps: false,
  },
};
