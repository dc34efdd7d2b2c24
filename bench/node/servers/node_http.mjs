// express-session on node:http, without Express.
import { createServer } from 'node:http';
import { HELLO, sessions, started } from './shared.mjs';

const session = await sessions();
const server = createServer((request, response) => {
  if (request.url === '/hello') return response.end(HELLO);
  session(request, response, (error) => {
    if (error) {
      response.statusCode = 500;
      return response.end(String(error));
    }
    if (request.url === '/anonymous') return response.end(HELLO);
    if (request.url === '/write') request.session.views++;
    response.end(`views ${request.session.views}`);
  });
});
server.listen(0, '127.0.0.1', () => started(server));
