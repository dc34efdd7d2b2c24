/// How the site logs in: with a form and tokens, or with DATABASE_URL by mail and with rows of @auth/pg-adapter.

import PostgresAdapter from "@auth/pg-adapter";
import pg from "pg";

/// A mail is not sent: the page `/mail` shows the link of the last one.
const email = {
  id: "email",
  type: "email",
  name: "Email",
  from: "site@shop.example",
  maxAge: 3_600,
  async sendVerificationRequest({ url }) {
    globalThis.lastLink = url;
  },
};

/// Returns options of both packages, with this provider of credentials for tokens.
export function strategy(credentials) {
  const connectionString = process.env.DATABASE_URL;
  if (!connectionString) return { providers: [credentials] };
  return { providers: [email], adapter: PostgresAdapter(new pg.Pool({ connectionString, max: 2 })) };
}
