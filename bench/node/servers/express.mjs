// express-session on Express.
import express from 'express';
import { HELLO, sessions, started } from './shared.mjs';

const app = express();
app.get('/hello', (request, response) => response.send(HELLO));
app.use(await sessions());
app.get('/read', (request, response) => response.send(`views ${request.session.views}`));
app.get('/write', (request, response) => {
  request.session.views++;
  response.send(`views ${request.session.views}`);
});
app.get('/anonymous', (request, response) => response.send(HELLO));
const server = app.listen(0, '127.0.0.1', () => started(server));
