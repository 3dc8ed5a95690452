/* replaced by the room's first file */ typedef int placeholder;
