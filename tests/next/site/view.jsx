/// What the server knows of the session, as JSON, and whatever else is on the page.
export function View({ session, children }) {
  return (
    <main>
      <pre id="session">{session}</pre>
      {children}
    </main>
  );
}

/// Forms that post to paths below `action`: for iron-session, which has no pages of its own.
export function Changes({ action }) {
  return (
    <>
      <form method="post" action={`${action}/login`}>
        <label>
          Name <input name="name" />
        </label>
        <button>Log in</button>
      </form>
      <form method="post" action={`${action}/add`}>
        <button>Add</button>
      </form>
      <form method="post" action={`${action}/logout`}>
        <button>Log out</button>
      </form>
    </>
  );
}
