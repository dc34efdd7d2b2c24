// The package for `import`. The code is that for `require`, so that both share what they know of a store.

import commonjs from "./index.js";

export const { safe } = commonjs;
