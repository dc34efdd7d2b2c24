// A key of Clerk's kind and tokens that it signs: the first line has the key set, and each line with a token's header,
// claims and algorithm is answered by the token.
//
//   node clerk.mjs
//
//   {"header":{"alg":"RS256","kid":"ins_1"},"claims":{"sub":"user_1"}}    {"token":"eyJ…"}
//
// `"other":true` signs with a key that is not in the set, and `"public":true` with the public key as a secret.

import { createHmac, createSign, generateKeyPairSync } from "node:crypto";
import { createInterface } from "node:readline";

const pair = () => generateKeyPairSync("rsa", { modulusLength: 2048 });
const [own, other] = [pair(), pair()];
const keys = [{ ...own.publicKey.export({ format: "jwk" }), kid: "ins_1", use: "sig", alg: "RS256" }];
const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

function sign(text, { header, other: isOther, public: isPublic }) {
  if (header.alg === "none") return "";
  if (isPublic) {
    const secret = own.publicKey.export({ type: "spki", format: "pem" });
    return createHmac("sha256", secret).update(text).digest("base64url");
  }
  return createSign("sha256").update(text).sign((isOther ? other : own).privateKey).toString("base64url");
}

console.log(JSON.stringify({ keys }));
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  const text = `${part(request.header)}.${part(request.claims)}`;
  console.log(JSON.stringify({ token: `${text}.${sign(text, request)}` }));
}
process.exit();
