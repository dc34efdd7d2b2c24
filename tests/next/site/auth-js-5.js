/// The site's Auth.js 5, whose secret is in AUTH_SECRET.

import NextAuth from "next-auth-5";
import Credentials from "next-auth-5/providers/credentials";
import { strategy } from "./strategy";
import { authorize, credentials } from "./user";

export const { handlers, auth } = NextAuth({
  ...strategy(Credentials({ credentials, authorize })),
  basePath: "/api/auth-js-5",
  trustHost: true,
});
