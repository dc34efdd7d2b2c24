"use client";

/// A component that shows who is logged in by what the browser asks the site, with `next-auth/react` of one of the two.
export function inBrowser({ SessionProvider, useSession }, basePath) {
  function Who() {
    const { data, status } = useSession();
    return (
      <pre id="browser" data-status={status}>
        {JSON.stringify(data)}
      </pre>
    );
  }
  return function InBrowser() {
    return (
      <SessionProvider basePath={basePath}>
        <Who />
      </SessionProvider>
    );
  };
}
