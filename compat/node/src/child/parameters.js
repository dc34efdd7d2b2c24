// How many parameters a method declares. Its `length` leaves out those from the first default value on.

const NOT_CODE = /\/\*[^]*?\*\/|\/\/.*|"(?:\\[^]|[^"\\])*"|'(?:\\[^]|[^'\\])*'|`(?:\\[^]|[^`\\])*`/g;
const ONE_WITHOUT_BRACKETS = /^(?:async\s+)?[\w$]+\s*=>/;

const declared = new WeakMap();

function mayTake(method, count) {
  if (!declared.has(method)) declared.set(method, parameters(Function.prototype.toString.call(method)));
  return declared.get(method) >= count;
}

// Commas within brackets are those of default values and patterns. Native and bound functions show no parameters.
function parameters(source) {
  const code = source.replace(NOT_CODE, " ");
  if (ONE_WITHOUT_BRACKETS.test(code)) return 1;
  let depth = 0, count = 0, isEmpty = true;
  for (let at = code.indexOf("("); at >= 0 && at < code.length; at += 1) {
    const character = code[at];
    if ("([{".includes(character)) depth += 1;
    else if (")]}".includes(character)) depth -= 1;
    if (depth === 0) break;
    if (depth === 1 && code.startsWith("...", at)) return Infinity;
    if (depth === 1 && character === ",") isEmpty = true;
    else if (isEmpty && /[\w$[{]/.test(character)) [isEmpty, count] = [false, count + 1];
  }
  return count;
}
