import { cookies } from "next/headers";
import { changes, sessionOf } from "../../../../site/iron-session";

export async function POST(request, { params }) {
  const { change } = await params;
  await changes[change](await sessionOf(await cookies()), Object.fromEntries(await request.formData()));
  return new Response(null, { status: 303, headers: { location: "/iron-session/app" } });
}
