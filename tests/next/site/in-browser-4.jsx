"use client";

import * as react from "next-auth/react";
import { inBrowser } from "./in-browser";

export const InBrowser = inBrowser(react, "/api/auth");
