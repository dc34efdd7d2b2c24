// Answers with what a store is given, as far as a store can see it.

module.exports = {
  get: (sid, callback) => callback(null, module.exports.seen),
  set(sid, session, callback) {
    const { cookie } = session;
    module.exports.seen = {
      text: JSON.stringify(session),
      keys: Object.keys(cookie),
      expires: cookie.expires instanceof Date && String(cookie.expires),
      maxAge: typeof cookie.maxAge,
      originalMaxAge: cookie.originalMaxAge,
      data: cookie.data,
    };
    callback();
  },
  destroy: (sid, callback) => callback(),
};
