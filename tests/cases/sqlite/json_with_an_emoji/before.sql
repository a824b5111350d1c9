create table moods (mood text);
