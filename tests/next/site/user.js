/// The form of the login, and the user whom it lets in: everybody.

export const credentials = { name: { label: "Name" }, image: { label: "Image" } };

export const authorize = ({ name, image }) => ({ id: "42", name, email: `${name}@shop.example`, image });
