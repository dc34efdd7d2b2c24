import { changes, sessionOf } from "../../../site/iron-session";

export default async function handler(request, response) {
  await changes[request.query.change](await sessionOf(request, response), request.body);
  response.redirect(303, "/iron-session/pages");
}
