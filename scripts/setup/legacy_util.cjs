// tfjs-node 4.22 calls two functions of Node's util: isNullOrUndefined, which Node 23 removed, and isArray, which is
// deprecated. Required before tfjs-node loads; the same object serves it, whichever module asked first.
const util = require('node:util');

util.isNullOrUndefined ??= (value) => value === null || value === undefined;
// Overwritten where it exists: Node's own prints a warning.
util.isArray = Array.isArray;
