// What encrypts sessions for the npm stores, behind lines of JSON: kruptein in the versions that they install, and the
// WebCrypto adapter of connect-mongo 6.
//
//   node crypto.mjs
//
//   {"package":"kruptein","of":"connect-mongo","options":{},"secret":"…","encrypt":"{\"n\":1}"}   {"text":"…"}
//   {"package":"webcrypto","options":{},"secret":"…","decrypt":"…"}                               {"text":"{\"n\":1}"}
//   whatever the package fails with                                                               {"error":"…"}
//
// `of` is the package whose kruptein is asked: connect-memcached 3 has 3.1.7, connect-mongo 6 has 3.0.8, and
// connect-mongo-5 has 3.4.0. It is given the session's object, as connect-memcached gives it.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { createWebCryptoAdapter } from "connect-mongo";

const require = createRequire(import.meta.url);

function kruptein({ of, options, secret }) {
  const instance = createRequire(require.resolve(of))("kruptein")(options);
  const call = (name, value) =>
    new Promise((resolve, reject) =>
      instance[name](secret, value, (error, result) => (error ? reject(new Error(error)) : resolve(result))),
    );
  return {
    encrypt: (text) => call("set", JSON.parse(text)),
    // Before 3.4 it gives the text of what it was given.
    decrypt: async (text) => {
      const value = await call("get", text);
      return typeof value === "string" ? value : JSON.stringify(value);
    },
  };
}

const packages = {
  kruptein,
  webcrypto: ({ options, secret }) => createWebCryptoAdapter({ ...options, secret }),
};

async function answer(request) {
  const { encrypt, decrypt } = packages[request.package](request);
  return { text: "encrypt" in request ? await encrypt(request.encrypt) : await decrypt(request.decrypt) };
}

console.log(JSON.stringify({ ready: true }));
for await (const line of createInterface({ input: process.stdin })) {
  const answered = await answer(JSON.parse(line)).catch((error) => ({ error: String(error?.message ?? error) }));
  console.log(JSON.stringify(answered));
}
process.exit();
