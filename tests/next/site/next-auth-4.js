/// The site's next-auth 4, whose secret is in NEXTAUTH_SECRET.

import CredentialsProvider from "next-auth/providers/credentials";
import { strategy } from "./strategy";
import { authorize, credentials } from "./user";

export const options = strategy(CredentialsProvider({ credentials, authorize }));
