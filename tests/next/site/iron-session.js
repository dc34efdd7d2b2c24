/// The site's iron-session 8, whose password is in IRON_PASSWORD.

import { getIronSession } from "iron-session";

/// Takes what `getIronSession` takes before its options.
export const sessionOf = (...request) =>
  getIronSession(...request, {
    cookieName: "iron",
    password: process.env.IRON_PASSWORD,
    cookieOptions: { secure: false },
  });

/// What the forms of `View` ask for.
export const changes = {
  async login(session, { name }) {
    session.name = name;
    await session.save();
  },
  async add(session) {
    session.items = (session.items ?? 0) + 1;
    await session.save();
  },
  async logout(session) {
    await session.destroy();
  },
};
