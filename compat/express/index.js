// The package for `require`.

"use strict";

const { safe } = require("./lib/safe.js");

module.exports = { safe };
